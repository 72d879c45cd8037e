"""Asks the Go reference what it makes of mapping documents (main.go says how)."""

from dev.oracle.program import MODULE as MODULE
from dev.oracle.program import Answer as Answer
from dev.oracle.program import Caller as Caller
from dev.oracle.program import OracleError as OracleError
from dev.oracle.program import Question as Question
from dev.oracle.program import Step as Step
from dev.oracle.program import User as User
from dev.oracle.program import ask as ask
from dev.oracle.program import build as build
from dev.oracle.program import deployment as deployment
