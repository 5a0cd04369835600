"""Scored records to reports, and pages to look at."""
