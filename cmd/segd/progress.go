package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"segd/internal/walk"
)

type progressMode string

const (
	progressAuto progressMode = "auto" // a bar on a terminal, else a line now and then
	progressJSON progressMode = "json" // one object a line
	progressNone progressMode = "none" // errors only
)

// plainEvery is the least time between two lines when standard error is no
// terminal: a log stays readable after a night.
const plainEvery = 10 * time.Second

func (a *app) addProgress(cmd *cobra.Command) {
	cmd.Flags().Var(newChoice((*string)(&a.progress), string(progressAuto), "auto", "json", "none"), "progress",
		"progress on standard error")
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// progress tells how far a run over a known number of things is. Its methods
// may be called from several goroutines.
type progress struct {
	mu     sync.Mutex
	w      io.Writer
	mode   progressMode
	unit   string // "image", for the rate
	bar    *progressbar.ProgressBar
	done   int
	total  int
	failed int
	start  time.Time
	last   time.Time
}

// event is one line of --progress json.
type event struct {
	Event    string  `json:"event"` // progress, error or done
	Done     int     `json:"done"`
	Total    int     `json:"total"`
	Failed   int     `json:"failed"`
	File     string  `json:"file,omitempty"`
	Error    string  `json:"error,omitempty"`
	ElapsedS float64 `json:"elapsed_s"`
	Rate     float64 `json:"rate"` // things a second
	ETAS     float64 `json:"eta_s"`
}

func (a *app) newProgress(unit string, total int) *progress {
	now := time.Now()
	p := &progress{w: a.stderr, mode: a.progress, unit: unit, total: total, start: now, last: now}
	if p.mode == progressAuto && isTerminal(a.stderr) {
		p.bar = newBar(a.stderr, total, unit)
	}
	return p
}

// say writes a message for people. If standard error is gone there is nobody
// to tell.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

// newBar is a bar with count, rate and time to go.
func newBar(w io.Writer, total int, unit string) *progressbar.ProgressBar {
	return progressbar.NewOptions(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(unit),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionFullWidth(),
	)
}

// add says that one thing is done; err is why it failed, nil if it did not.
func (p *progress) add(file string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if err != nil {
		p.failed++
		p.fail(file, err)
	}
	switch {
	case p.bar != nil:
		_ = p.bar.Add(1) // a terminal that went away is no reason to stop
	case p.mode == progressJSON:
		p.emit("progress", file, nil)
	case p.mode == progressAuto && p.done < p.total && time.Since(p.last) >= plainEvery:
		p.last = time.Now()
		elapsed, rate, eta := p.pace()
		say(p.w, "%d/%d %ss, %.3g/s, %s elapsed, about %s left\n", p.done, p.total, p.unit, rate,
			elapsed.Round(time.Second), eta.Round(time.Second))
	}
}

// fail names what failed, in every mode.
func (p *progress) fail(file string, err error) {
	if p.mode == progressJSON {
		p.emit("error", file, err)
		return
	}
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	say(p.w, "segd: %s: %s\n", walk.Printable(file), walk.Printable(err.Error()))
}

// warn writes what a user should know about the inputs, in every mode.
func (p *progress) warn(text string) { p.tell("warning", "warning: ", text) }

// note writes what may be as it should, in every mode.
func (p *progress) note(text string) { p.tell("note", "", text) }

// tell writes an event that is a text.
func (p *progress) tell(event, before, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text = walk.Printable(text)
	if p.mode == progressJSON {
		_ = json.NewEncoder(p.w).Encode(map[string]string{"event": event, "message": text})
		return
	}
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	say(p.w, "segd: %s%s\n", before, text)
}

// clear takes the bar away.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// finish takes the bar away and says what was done.
func (p *progress) finish() {
	p.clear()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.mode {
	case progressJSON:
		p.emit("done", "", nil)
	case progressAuto:
		elapsed, rate, _ := p.pace()
		pace := ""
		if p.done > p.failed {
			pace = fmt.Sprintf(", %.3g/s", rate)
		}
		say(p.w, "%d of %d %ss done in %s%s\n", p.done-p.failed, p.total, p.unit, elapsed.Round(10*time.Millisecond), pace)
	}
}

// pace returns the time gone, the rate and the time still to go at that rate.
func (p *progress) pace() (elapsed time.Duration, rate float64, eta time.Duration) {
	elapsed = time.Since(p.start)
	if s := elapsed.Seconds(); s > 0 {
		rate = float64(p.done) / s
	}
	if rate > 0 {
		eta = time.Duration(float64(p.total-p.done) / rate * float64(time.Second))
	}
	return elapsed, rate, eta
}

func (p *progress) emit(kind, file string, err error) {
	elapsed, rate, eta := p.pace()
	e := event{Event: kind, Done: p.done, Total: p.total, Failed: p.failed, File: walk.Printable(file),
		ElapsedS: round3(elapsed.Seconds()), Rate: round3(rate), ETAS: round3(eta.Seconds())}
	if err != nil {
		e.Error = walk.Printable(err.Error())
	}
	_ = json.NewEncoder(p.w).Encode(e)
}

// round3 keeps three decimals, so that a line stays short.
func round3(v float64) float64 { return float64(int64(v*1000+0.5)) / 1000 }
