"""The read side: one file, one report. A report is asked with a session and answers with plain data.

Reports import the store and the domain, never each other and never HTTP.
"""
