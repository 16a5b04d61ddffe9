package main

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"segd"
	"segd/internal/nearest"
	"segd/models"
	"segd/unet"
)

// maxThreads bounds --threads against a slip of the finger.
const maxThreads = 1024

// envName is the environment variable of a flag: max-body → SEGD_MAX_BODY.
func envName(flag string) string {
	return "SEGD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnvironment gives each flag that the command line left out the value of
// its variable, through the flag's own parser, so that both are checked alike.
// An empty variable counts as not set.
func fromEnvironment(flags *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || f.Name == "version" || err != nil {
			return
		}
		v, ok := lookup(envName(f.Name))
		if !ok || v == "" {
			return
		}
		if e := flags.Set(f.Name, v); e != nil {
			err = fmt.Errorf("%s: %w", envName(f.Name), e)
		}
	})
	return err
}

// addThreads gives cmd --threads; threadCount reads it.
func (a *app) addThreads(cmd *cobra.Command) {
	cmd.Flags().Var(newIntRange(&a.threads, 0, maxThreads), "threads", "number of compute threads (0: one per core)")
}

// The values of --precision.
const (
	precisionFP32 = "fp32"
	precisionBF16 = "bf16"
)

// checkKernel refuses a --kernel that this machine cannot run.
func (a *app) checkKernel() error {
	if a.kernel == unet.FastestKernels {
		return nil // whose self-check takes milliseconds, and not every command computes
	}
	if _, err := unet.ChooseKernels(a.kernel, nil); err != nil {
		return optionError("--kernel: %v", err)
	}
	return nil
}

// kernels are those of --kernel, which checkKernel has seen. A set that fails its
// self-check is skipped with a line on standard error.
func (a *app) kernels() unet.Kernels {
	k, _ := unet.ChooseKernels(a.kernel, slog.New(slog.NewTextHandler(a.stderr, nil)))
	return k
}

// newPool starts the threads of --threads with the kernels of --kernel.
func (a *app) newPool() *unet.Pool { return a.kernels().NewPool(a.threadCount()) }

// addRounding gives cmd --exact and --precision; modelOptions passes them on.
func (a *app) addRounding(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&a.exact, "exact", false, "use direct convolution in every layer: slower, with less rounding error")
	f.Var(newChoice(&a.precision, precisionFP32, precisionFP32, precisionBF16), "precision", "number format of multiplications: bf16 is faster on CPUs with AVX512-BF16 but less exact")
}

// checkRounding refuses flags that exclude each other.
func (a *app) checkRounding() error {
	if a.exact && a.bf16() {
		return optionError("--exact and --precision %s cannot be combined", a.precision)
	}
	return nil
}

// modelOptions are those that every model of the run is opened with.
func (a *app) modelOptions() models.Options {
	return models.Options{Exact: a.exact, BFloat16: a.bf16()}
}

func (a *app) bf16() bool { return a.precision == precisionBF16 }

// threadCount is the number of threads to compute with.
func (a *app) threadCount() int { return orEveryCore(a.threads) }

func orEveryCore(threads int) int {
	if threads > 0 {
		return threads
	}
	return runtime.GOMAXPROCS(0)
}

// intRange is a flag value between two limits.
type intRange struct {
	p      *int
	lo, hi int
}

func newIntRange(p *int, lo, hi int) *intRange { return &intRange{p, lo, hi} }

func (v *intRange) String() string {
	if v.p == nil {
		return "0"
	}
	return strconv.Itoa(*v.p)
}
func (v *intRange) Type() string { return "int" }
func (v *intRange) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < v.lo || n > v.hi {
		return fmt.Errorf("want a number from %d to %d", v.lo, v.hi)
	}
	*v.p = n
	return nil
}

// choice is a flag value out of a list.
type choice struct {
	p    *string
	from []string
}

// What labels are, as segd check --head says.
const (
	headAuto    = "auto"
	headClasses = "classes"
)

// addHead declares --head, whose value is that of a unet.Head. Where it may be
// headAuto, headClasses stands for the head that has no name.
func addHead(f *pflag.FlagSet, p *string, value, usage string) {
	from := []string{string(unet.HeadRegression)}
	if value == headAuto {
		from = []string{headAuto, headClasses, from[0]}
	}
	f.Var(newChoice(p, value, from...), "head", usage)
}

func newChoice(p *string, value string, from ...string) *choice {
	*p = value
	return &choice{p, from}
}

func (v *choice) String() string {
	if v.p == nil {
		return ""
	}
	return *v.p
}
func (v *choice) Type() string { return strings.Join(v.from, "|") }
func (v *choice) Set(s string) error {
	for _, c := range v.from {
		if s == c {
			*v.p = s
			return nil
		}
	}
	return errors.New(nearest.Among(s, v.from))
}

// byteSize is a flag value such as 64MiB.
type byteSize int64

func (v *byteSize) String() string {
	n := int64(*v)
	for _, u := range sizeUnits {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}
func (v *byteSize) Type() string { return "size" }
func (v *byteSize) Set(s string) error {
	digits := strings.TrimRight(s, "KMGTiB ")
	factor := int64(1)
	if unit := strings.TrimSpace(s[len(digits):]); unit != "" && unit != "B" {
		factor = 0
		for _, u := range sizeUnits {
			// 64M, 64MB and 64MiB all mean binary units: a limit, not a measurement.
			if unit == u.name || unit == u.name[:1] || unit == u.name[:1]+"B" {
				factor = u.bytes
			}
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 || factor == 0 || n > (1<<62)/factor {
		return fmt.Errorf("want a size such as 64MiB")
	}
	*v = byteSize(n * factor)
	return nil
}

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// optionError is a segd.ErrOption of the command line.
func optionError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", segd.ErrOption, fmt.Sprintf(format, args...))
}
