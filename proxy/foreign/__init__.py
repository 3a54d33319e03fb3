"""Recordings that come from elsewhere: exports, VCR.py's cassettes, HAR files. The only room that knows YAML."""
