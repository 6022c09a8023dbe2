"""Evaluations: models against suites and test sets, as jobs, and what came of them.

submitting   names become a job
test_set     a dataset and a reward as a suite
items_file   what one model answered to one suite: a Parquet file
results      what a job reached: a row for each model and suite
browsing     two models' answers to the same items beside each other
report       cells, changes with their tests, in numbers; sentences in words
charts       what is drawn of a report, by drawings on a canvas
page, files  the report as one HTML page, CSV, JSON
"""
