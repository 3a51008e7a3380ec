"""A new network as a package of its own: the files of `reporting-dags new-network`.

The files in `network/` are those of a network named Acme. The generator changes that name and nothing else.
"""
