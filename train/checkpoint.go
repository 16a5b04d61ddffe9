package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"segd"
	"segd/internal/output"
	"segd/unet"
)

// checkpointName is the file in the model directory from which --resume continues.
const checkpointName = "checkpoint.bin"

// Other files of a training in the model directory.
const (
	planName    = "plan.json"
	historyName = "progress.csv"
	pageName    = "report.html"
)

// checkpointMagic starts the file with format and version. It is followed by the
// length of the JSON as uint64, the JSON of progress, all tensors as float32, and the
// SHA-256 of everything before it. All numbers are little-endian. The tensors are the
// network's parameters, their average, the heads of deep supervision and the solver's
// moments, in that order. Each group has the order of unet.Params.Names, and moments
// exist only for trained parameters.
const checkpointMagic = "segd checkpoint 1\n"

// progress is the state of a training, except for its tensors.
type progress struct {
	Plan        Plan    `json:"plan"`
	Step        int     `json:"step"`         // done; also the number of the next batch
	SolverSteps int     `json:"solver_steps"` // as counted by the solver
	Validated   int     `json:"validated"`    // step of the last validation
	Seconds     float64 `json:"seconds"`      // spent so far
	LossSum     float64 `json:"loss_sum"`     // since the last validation
	LossCount   int     `json:"loss_count"`
	standing
	Stale   int       `json:"stale"` // validations since then
	History []Row     `json:"history"`
	Trace   []Trace   `json:"trace,omitempty"`
	Losses  []float64 `json:"losses,omitempty"` // for each step, with Trace
}

// A standing is the validation of the kept weights.
type standing struct {
	BestScore float64 `json:"best_score"` // as computed by Plan.score
	BestImage float64 `json:"best_dice"`  // the figure: Dice, or the mean absolute error of values
	BestGroup float64 `json:"best_group"`
	BestStep  int     `json:"best_step"` // 0: none yet
}

// Row is one line of progress.csv: one validation.
type Row struct {
	Step  int     `json:"step"`
	Epoch int     `json:"epoch"`
	Loss  float64 `json:"loss"` // mean since the previous row
	Rate  float64 `json:"lr"`
	Dice  float64 `json:"val_dice"` // 0 if nothing validates
	Group float64 `json:"val_group_dice"`
	// Used instead if labels are values.
	MAE      float64 `json:"val_mae,omitempty"`
	GroupMAE float64 `json:"val_group_mae,omitempty"`
	Seconds  float64 `json:"seconds"`
}

// tensorsOf lists the memory of all parameters in order.
func tensorsOf(p *unet.Params) [][]float32 {
	var all [][]float32
	for _, name := range p.Names() {
		t, _ := p.Get(name)
		all = append(all, t.Data().([]float32))
	}
	return all
}

// writeCheckpoint atomically replaces the checkpoint of dir.
func writeCheckpoint(dir string, s *progress, tensors ...[][]float32) error {
	meta, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	return writeFile(filepath.Join(dir, checkpointName), func(out io.Writer) error {
		sum := sha256.New()
		w := io.MultiWriter(out, sum)
		head := binary.LittleEndian.AppendUint64([]byte(checkpointMagic), uint64(len(meta)))
		if _, err := w.Write(append(head, meta...)); err != nil {
			return err
		}
		var buf []byte
		for _, group := range tensors {
			for _, t := range group {
				buf = buf[:0]
				for _, v := range t {
					buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
				}
				if _, err := w.Write(buf); err != nil {
					return err
				}
			}
		}
		_, err := out.Write(sum.Sum(nil))
		return err
	})
}

// readCheckpoint returns the progress and the bytes of the tensors, or nil and no
// error if there is no checkpoint.
func readCheckpoint(dir string) (*progress, []byte, error) {
	path := filepath.Join(dir, checkpointName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("train: %w", err)
	}
	bad := func(why string) error {
		return fmt.Errorf("train: %w: checkpoint %s: %s; delete it to start over", segd.ErrFormat, path, why)
	}
	start := len(checkpointMagic) + 8
	if len(b) < start+sha256.Size || string(b[:len(checkpointMagic)]) != checkpointMagic {
		return nil, nil, bad("not a checkpoint of this version")
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if got := sha256.Sum256(body); !bytes.Equal(got[:], sum) {
		return nil, nil, bad("checksum does not match")
	}
	n := binary.LittleEndian.Uint64(b[len(checkpointMagic):])
	if n > uint64(len(body)-start) {
		return nil, nil, bad("truncated")
	}
	var s progress
	if err := json.Unmarshal(body[start:start+int(n)], &s); err != nil {
		return nil, nil, bad(err.Error())
	}
	if err := s.Plan.Network.Validate(); err != nil {
		return nil, nil, bad(err.Error())
	}
	return &s, body[start+int(n):], nil
}

// restore fills the tensors from the bytes of a checkpoint.
func restore(b []byte, tensors ...[][]float32) error {
	want := 0
	for _, group := range tensors {
		for _, t := range group {
			want += 4 * len(t)
		}
	}
	if len(b) != want {
		return fmt.Errorf("train: %w: checkpoint holds %d bytes of tensors, the network needs %d", segd.ErrFormat, len(b), want)
	}
	for _, group := range tensors {
		for _, t := range group {
			for i := range t {
				t[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
			}
			b = b[4*len(t):]
		}
	}
	return nil
}

// writeFile writes a file completely or not at all.
func writeFile(path string, write func(io.Writer) error) error {
	if err := output.WriteFile(path, write); err != nil {
		return fmt.Errorf("train: writing %s: %w", path, err)
	}
	return nil
}

// writeJSON writes v as indented JSON.
func writeJSON(path string, v any) error {
	return writeFile(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	})
}

// writeHistory writes progress.csv.
func writeHistory(dir string, rows []Row, p *Plan) error {
	return writeFile(filepath.Join(dir, historyName), func(w io.Writer) error {
		t := p.target()
		if _, err := fmt.Fprintf(w, "step,epoch,loss,lr,val_%[1]s,val_group_%[1]s,seconds\n", t.figure()); err != nil {
			return err
		}
		for _, r := range rows {
			figures := ","
			if !p.all() {
				image, group := t.ofRow(&r)
				figures = t.column(*image) + "," + t.column(*group)
			}
			if _, err := fmt.Fprintf(w, "%d,%d,%.6f,%.3e,%s,%.1f\n", r.Step, r.Epoch, r.Loss, r.Rate, figures, r.Seconds); err != nil {
				return err
			}
		}
		return nil
	})
}
