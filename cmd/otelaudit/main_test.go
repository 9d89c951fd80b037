package main

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(localpg.Main{M: m}) }
