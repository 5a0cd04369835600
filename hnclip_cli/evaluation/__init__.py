"""Scored records to reports."""
