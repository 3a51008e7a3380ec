"""Digital Turbine: Offer Wall and User Level reporting, which share login, polling and file download."""
