package engine

import (
	"context"
	"fmt"
	"io"

	"segd/internal/export"
)

// Sink takes what a Run makes. Calls for one source come one after the other; those
// for several come at once where Config.Parallel lets them, and then in no order.
//
// A source that is begun is closed, unless the Run ends with an interrupt.
type Sink interface {
	// Open is called before a source is read. An error ends the Run with it: the source
	// and those after it are left out, and so is what would be made of all of them.
	Open(s *Source) error
	// Begin is called before the first frame, with all that is known by then.
	Begin(s *Source, r *Result) error
	// Write takes a file, which write makes. Those of frames are made while the turn
	// lasts (package turns), and must not wait for anyone.
	Write(o Output, write func(io.Writer) error) error
	// Frame is called when the files of a frame are written, which is the last one of r.
	// No turn is held.
	Frame(s *Source, r *Result) error
	// Held is how many bytes the sink keeps of the files of a frame until Frame.
	Held() int64
	// Discard takes back what was written of a source alone, which failed.
	Discard(s *Source)
	// Close says what became of a source. r is nil where nothing could be made; with an
	// error beside it, all was made but what the error names.
	Close(s *Source, r *Result, err error)
}

// Output is a file that is made.
type Output struct {
	Kind    export.Kind
	Sources []*Source // that it is made of
	stem    string
	Frame   int // from 1; 0: it holds all frames
	number  int // among several that hold all frames, from 1; 0: it is the only one
	several bool
}

// Stem names the file after its source: NAME, NAME_0001 for a frame of several, or
// NAME_1 for a volume of several.
func (o Output) Stem() string {
	switch {
	case o.number > 0:
		return fmt.Sprintf("%s_%d", o.stem, o.number)
	case o.several:
		return fmt.Sprintf("%s_%04d", o.stem, o.Frame)
	}
	return o.stem
}

// Path is where the file lies in a folder of outputs, with slashes: KIND/NAME.EXT.
func (o Output) Path() string { return o.Kind.Name + "/" + o.Stem() + o.Kind.Ext }

// Member is the name of the file among those of one source: KIND_0001.EXT, or segd.EXT.
func (o Output) Member() string {
	if o.Frame == 0 {
		return "segd" + o.Kind.Ext
	}
	return fmt.Sprintf("%s_%04d%s", o.Kind.Name, o.Frame, o.Kind.Ext)
}

// Budget bounds the memory of what runs. Its methods wait, no longer than ctx lasts,
// until n bytes can be had; more than ever can be is segd.ErrTooLarge. Nothing is
// waited for in Scan while something is held.
type Budget interface {
	// Scan is for a source that is read, and for what is collected until its outputs are
	// made.
	Scan(ctx context.Context, n int64) (Holding, error)
	// Frame is for a frame while it is computed, and for its files.
	Frame(ctx context.Context, n int64) (Holding, error)
}

// Holding is memory of a Budget. It belongs to one goroutine.
type Holding interface {
	Shrink(n int64) // gives back all but n bytes
	Release()       // gives back everything
}

// unbounded is the Budget that bounds nothing, and its Holding.
type unbounded struct{}

func (unbounded) Scan(ctx context.Context, _ int64) (Holding, error)  { return unbounded{}, ctx.Err() }
func (unbounded) Frame(ctx context.Context, _ int64) (Holding, error) { return unbounded{}, ctx.Err() }
func (unbounded) Shrink(int64)                                        {}
func (unbounded) Release()                                            {}
