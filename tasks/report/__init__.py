"""The report of a campaign: one page that holds everything it shows, and the pictures that MLflow gets."""
