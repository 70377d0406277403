"""One verdict model, many renderers. The JSON form is the published contract
(`report.schema.json`).
"""
