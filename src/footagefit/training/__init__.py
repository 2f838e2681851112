"""A show's dailies become a fit: the only LightningModule, its callbacks, its records."""
