package main

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	p := peers{settings: settings{threads: []int{1, 2}, repeats: 3}, versions: []string{"segd 1"}}
	rows := []row{
		{testCase{false, 16, 256, 1}, figure{40, 100, 150}, &figure{MinMS: 80, RSS: 200}, nil},
		{testCase{false, 16, 256, 2}, figure{20, 120, 300}, &figure{MinMS: 50, RSS: 200}, nil},
		{testCase{false, 32, 256, 1}, figure{160, 100, 150}, &figure{MinMS: 80, RSS: 200}, &figure{MinMS: 320, RSS: 400}},
	}
	var b strings.Builder
	if err := write(&b, p, rows); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| 16 | 256² | 1 | 40.0 | 150 | 100 | 80.0 | 200 | – | – | 0.50 | – | 0.50 |",
		"| 32 | 256² | 1 | 160.0 | 150 | 100 | 80.0 | 200 | 320.0 | 400 | 2.00 | 0.50 | 0.50 |",
		// The geometric mean of a half and of two.
		"time ÷ ONNX Runtime with threads = 1, geometric mean of 2: **1.00**",
		"segd with threads = 2 ÷ with 1, geometric mean of 1: **0.50**",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no line %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "Training") {
		t.Error("a section without rows")
	}
}

func TestBetterTakesTheFaster(t *testing.T) {
	slow, fast := figure{MinMS: 20, RSS: 1}, figure{MinMS: 10, RSS: 2}
	if got := better(&slow, fast); got != fast {
		t.Errorf("%+v, want %+v", got, fast)
	}
	if got := better(&fast, slow); got != fast {
		t.Errorf("%+v, want %+v", got, fast)
	}
	if got := better(nil, slow); got != slow {
		t.Errorf("%+v, want %+v", got, slow)
	}
}
