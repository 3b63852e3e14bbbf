"""Clients that are not ours. Files named later_… wait for what they try; renamed to test_…, they are collected."""
