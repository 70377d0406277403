"""The command on unmodified record folders, end to end: real scripts, real walls, real verdicts."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.evaluation import Evaluation, Options
from harness.report.markdown import render_markdown
from harness.report.model import SCHEMA_PATH
from harness.report.terminal import render_terminal
from harness.upstream.examination import Request
from reference_model.data.folder import DataFolder

from . import contest_records as records
