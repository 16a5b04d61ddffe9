package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"segd/unet"
)

func TestUsageErrors(t *testing.T) {
	model := brightModel(t)
	for _, tt := range []struct {
		name string
		args []string
		want string // in the message
	}{
		{"no command", nil, "needs a command"},
		{"unknown command", []string{"segmnet"}, `unknown command "segmnet"`},
		{"unknown flag", []string{"version", "--loud"}, "--loud"},
		{"surplus argument", []string{"version", "now"}, "now"},
		{"group alone", []string{"model"}, "export, import, list"},
		{"unknown in group", []string{"model", "burn"}, "burn"},
		{"required flags", []string{"segment", "-i", "x"}, `"model", "out"`},
		{"value out of range", []string{"bench", "--size", "0"}, "1 to 4096"},
		{"not a number", []string{"bench", "--threads", "many"}, "0 to 1024"},
		{"not one of", []string{"bench", "--format", "xml"}, "text, json"},
		{"not a size", []string{"serve", "--max-body", "big"}, "64MiB"},
		{"unknown output", []string{"segment", "-i", "x", "-o", "y", "-m", model, "--output", "mask,gif"}, "--output gif"},
		{"exclusive", []string{"train", "-d", "x", "-o", "y", "--epochs", "2", "--time", "3m"}, "epochs time"},
		{"fold", []string{"train", "-d", "x", "-o", "y", "--fold", "5"}, "--fold 5"},
		{"stride", []string{"bench", "--train", "--size", "40"}, "multiple of 16"},
		{"unknown precision", []string{"serve", "--precision", "fp16"}, "fp32, bf16"},
		{"exact in bf16", []string{"evaluate", "-d", "x", "-m", model, "--exact", "--precision", "bf16"}, "--exact and --precision bf16"},
		{"training in bf16", []string{"bench", "--train", "--precision", "bf16"}, "--precision bf16"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := command(t, tt.args...)
			if code != exitUsage {
				t.Errorf("exit %d, want %d", code, exitUsage)
			}
			if stdout != "" {
				t.Errorf("standard output: %q", stdout)
			}
			if !strings.Contains(stderr, tt.want) {
				t.Errorf("message %q, want one with %q", stderr, tt.want)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	want := "segd " + version
	for _, args := range [][]string{{"version"}, {"--version"}} {
		if got := done(t, args...); !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%v: %q, want one line that begins with %q", args, got, want)
		}
	}
}

// The environment stands between the default and the flag, is checked like a
// flag, and fills required flags.
func TestEnvironment(t *testing.T) {
	t.Setenv("SEGD_SIZE", "32")
	t.Setenv("SEGD_RUNS", "2")
	t.Setenv("SEGD_DEPTH", "")
	args := []string{"bench", "--base-width", "2", "--runs", "1"}
	got := done(t, args...)
	for _, want := range []string{"32×32", "depth 4", "over 1 runs"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	t.Setenv("SEGD_SIZE", "large")
	if code, _, stderr := command(t, args...); code != exitUsage || !strings.Contains(stderr, "SEGD_SIZE") {
		t.Errorf("exit %d, %q; want %d and the name of the variable", code, stderr, exitUsage)
	}
	t.Setenv("SEGD_OUT", t.TempDir())
	if code, _, stderr := command(t, "model", "export", "none-of-that-name"); code != exitFailed {
		t.Errorf("required flag in the environment: exit %d, want %d: %s", code, exitFailed, stderr)
	}
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]byteSize{
		"1": 1, "512B": 512, "64KiB": 64 << 10, "64K": 64 << 10, "64 MB": 64 << 20, "2GiB": 2 << 30,
	} {
		var got byteSize
		if err := got.Set(text); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "MiB", "1.5GiB", "1TiB", "1KK", "99999999999GiB", "ten"} {
		var got byteSize
		if err := got.Set(text); err == nil {
			t.Errorf("%q was taken for %d", text, got)
		}
	}
	got := []string{}
	for _, v := range []byteSize{1000, 1 << 10, 256 << 20, 3 << 30} {
		got = append(got, v.String())
	}
	if diff := cmp.Diff([]string{"1000", "1KiB", "256MiB", "3GiB"}, got); diff != "" {
		t.Error(diff)
	}
}

// Every flag has a name that an environment variable can have, no two flags of
// a command share one, and a flag starts at the default that its help names,
// whatever the other commands do with what they share.
func TestFlags(t *testing.T) {
	root := newRoot(&app{})
	for _, cmd := range append(root.Commands(), newModel(&app{}).Commands()...) {
		seen := map[string]bool{}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			name := envName(f.Name)
			if seen[name] || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != "" {
				t.Errorf("segd %s --%s: variable %s", cmd.Name(), f.Name, name)
			}
			seen[name] = true
			if f.Value.String() != f.DefValue {
				t.Errorf("segd %s --%s starts at %s, its help says %s", cmd.Name(), f.Name, f.Value, f.DefValue)
			}
		})
	}
}

// TestKernelFlag: the flag goes before the environment, and a set that this
// machine lacks is an error of usage.
func TestKernelFlag(t *testing.T) {
	t.Setenv("SEGD_KERNEL", "generic")
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"version", exitDone, " kernel generic\n"},
		{"version --kernel auto", exitDone, " kernel " + best(t) + "\n"},
		{"version --kernel sse9", exitUsage, ""},
	} {
		code, stdout, stderr := command(t, strings.Fields(tt.args)...)
		if code != tt.code || !strings.HasSuffix(stdout, tt.want) {
			t.Errorf("%s: exit %d, %q, %q; want %d and %q", tt.args, code, stdout, stderr, tt.code, tt.want)
		}
	}
}

// best is the kernel set that auto takes here.
func best(t *testing.T) string {
	k, err := unet.ChooseKernels(unet.FastestKernels, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k.Name()
}

// TestPrecision: the flag, or its variable, reaches the models of each command
// that runs one.
func TestPrecision(t *testing.T) {
	for _, name := range []string{"segment", "serve", "evaluate", "bench"} {
		cmd, _, err := newRoot(&app{}).Find([]string{name})
		if err != nil || cmd.Flags().Lookup("precision") == nil {
			t.Errorf("segd %s has no --precision: %v", name, err)
		}
	}
	for precision, want := range map[string]bool{precisionFP32: false, precisionBF16: true} {
		a := app{precision: precision}
		m, err := a.resolveModel(brightModel(t), "")
		if err != nil {
			t.Fatal(err)
		}
		if o := m.Options(); o.BFloat16 != want || o.Exact {
			t.Errorf("%s: in bfloat16 %t, exact %t", precision, o.BFloat16, o.Exact)
		}
	}
	t.Setenv("SEGD_PRECISION", "bf16")
	if got := done(t, "bench", "-m", brightModel(t), "--size", "20", "--runs", "1"); !strings.Contains(got, "bf16") || !strings.Contains(got, (unet.Kernels{}).BFloat16()) {
		t.Errorf("%q", got)
	}
}
