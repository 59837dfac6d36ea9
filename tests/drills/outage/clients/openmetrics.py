"""Reads OpenMetrics from standard input with a strict parser; says nothing where all is well."""

import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

families = list(text_string_to_metric_families(sys.stdin.buffer.read().decode()))
if not any(family.samples for family in families):
    sys.exit("there are no samples")
