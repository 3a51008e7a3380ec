"""The test kit for providers, of this repository and of other packages: `pytest` and a real HTTP server, no mocks.

It is imported by tests only, and nothing else in the package imports it. `provider_contract` holds the tests,
`api_server` the server that emulates the provider's API.
"""
