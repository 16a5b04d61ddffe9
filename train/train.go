// Package train fits a U-Net to a labelled data set.
//
//	result, err := train.Run(ctx, train.Options{
//		Datasets: []string{"nuclei/train"}, Out: "my-model", Time: 20 * time.Minute,
//	}, func(e train.Event) { … })
//
// A data set is a folder with images/ and labels/ (see dataset.Open). Run makes a
// Plan from the data and the options, and splits the data by group into a training
// and a validation part. It trains with augmentation under cross-entropy and soft
// Dice, keeps the weights that score best on the validation part, and writes them as
// a model directory. The result depends only on the data, the options and the seed.
// The number of threads does not matter, and a run that was stopped and resumed ends
// with exactly the same weights.
//
// Subpackages: dataset reads data sets, augment cuts patches, check finds faults that
// spoil training, evaluate measures models, and study compares networks.
//
// Limits: training uses volumes plane by plane. Images beyond Options.MaxMemory are
// read from a temporary file.
//
// Source: the recipe follows nnU-Net (Isensee et al. 2021,
// doi:10.1038/s41592-020-01008-z) at a size that two CPU cores can train.
package train

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"segd"
	"segd/models"
	"segd/unet"
)

// ErrDiverged reports that the loss or a gradient is no longer finite. The best model
// so far is kept. A lower learning rate usually helps.
var ErrDiverged = errors.New("training diverged")

// Options says what to train on and how. A zero field leaves the choice to the plan.
type Options struct {
	Datasets []string // folders, see dataset.Open; at least one
	Out      string   // model directory to write

	Name        string            // of the model; default: the last element of Out
	Version     string            // default "1"
	Title       string            // default: Name
	Description string            // free text for the card
	Data        []models.DataCard // for the card; default: the names of the data sets
	ClassNames  []string          // of the foreground classes, index 1 first

	// One of Epochs, Steps and Time ends the training; Time is 20 minutes if
	// none is given. Time is turned into a number of steps once, at the start.
	Epochs int
	Steps  int
	Time   time.Duration

	Seed        uint64
	Resume      bool    // continue from Out's checkpoint, if there is one
	Overwrite   bool    // replace a model or a training in Out
	ValFraction float64 // of the groups, default 0.2
	All         bool    // every image trains and none validates; the last averaged weights are kept
	Fold, Folds int     // cross-validation: part Fold of Folds validates

	// Network holds network settings. The plan chooses empty ones; channels and
	// classes come from the data. The head says whether labels are classes or values,
	// see package dataset. For values, Loss is l1 or l2.
	Network     unet.Config
	Patch       int       // side in pixels
	Batch       int       // patches per step
	LearnRate   float64   // peak
	WeightDecay float64   // negative: none
	Solver      string    // SolverAdamW (default) or SolverSGD
	Momentum    float64   // of SolverSGD; default 0.99
	Schedule    string    // ScheduleCosine (default) or SchedulePoly
	Loss        unet.Loss // default: cross-entropy plus soft Dice
	Balance     bool      // rare classes have more weight in Loss; see balance
	Deep        bool      // deep supervision
	Patience    int       // end after this many validations without improvement; 0: never
	NoFlip      bool      // for images in which left and right or up and down have a meaning
	Foreground  float64   // share of patches centred on foreground; negative: none

	// From is the model to fine-tune: training uses its weights, network and Recipe.
	// FreezeEncoder leaves its encoder unchanged.
	From          *models.Model
	FreezeEncoder bool
	// Repeat says how often the images of each data set occur in an epoch; empty:
	// once. It has as many elements as Datasets.
	Repeat []int

	// PlanFile is a plan.json, perhaps edited, to train by. It determines network,
	// recipe, patch, batch and everything else, including the split if it names the
	// same cases, and the length unless one is given here.
	PlanFile string

	Pool      *unet.Pool // nil: one thread
	MaxMemory int64      // memory limit in bytes; images beyond it are read from a file; default 4 GiB

	Trace  int  // steps between two records of each layer's gradient, for Result.Trace; 0: none
	NoPage bool // without report.html

	// afterStep lets tests stop or disturb a run at an exact step.
	afterStep func(r *run)
}

// Memory returns the number of bytes that the training may take.
func (o Options) Memory() int64 { return cmp.Or(o.MaxMemory, defaultMemory) }

func (o Options) validate() error {
	set := 0
	for _, given := range []bool{o.Epochs != 0, o.Steps != 0, o.Time != 0} {
		if given {
			set++
		}
	}
	switch {
	case len(o.Datasets) == 0:
		return bad("data sets", 0, "at least one")
	case o.Out == "":
		return bad("output directory", `""`, "a directory")
	case o.Epochs < 0 || o.Epochs > 1e6:
		return bad("epochs", o.Epochs, "1 to 1000000")
	case o.Steps < 0 || o.Steps > 1e9:
		return bad("steps", o.Steps, "1 to 1000000000")
	case o.Time < 0:
		return bad("time", o.Time, "more than 0")
	case set > 1:
		return fmt.Errorf("train: %w: epochs, steps and time exclude each other", segd.ErrOption)
	case !(o.ValFraction >= 0 && o.ValFraction < 1):
		return bad("validation fraction", o.ValFraction, "0 to 1")
	case o.All && (o.ValFraction > 0 || o.Folds > 0):
		return fmt.Errorf("train: %w: a validation share or fold, and training on all images, exclude each other", segd.ErrOption)
	case o.All && o.Patience > 0:
		return bad("patience", o.Patience, "0, because nothing is validated")
	case o.Folds < 0 || o.Folds == 1 || o.Fold < 0 || (o.Folds > 0 && o.Fold >= o.Folds) || (o.Folds == 0 && o.Fold > 0):
		return bad("fold", fmt.Sprintf("%d/%d", o.Fold, o.Folds), "I/K with 0 ≤ I < K and K at least 2")
	case o.Trace < 0:
		return bad("trace", o.Trace, "0 or more")
	case o.Patch < 0 || o.Patch > 2048:
		return bad("patch", o.Patch, "1 to 2048")
	case o.Batch < 0 || o.Batch > 256:
		return bad("batch", o.Batch, "1 to 256")
	case o.validateSolver() != nil:
		return o.validateSolver()
	case o.validateHead() != nil:
		return o.validateHead()
	case o.Balance && len(o.Loss.Classes) > 0:
		return bad("class weights", o.Loss.Classes, "none with balanced classes")
	case o.FreezeEncoder && o.From == nil && !o.Resume:
		return fmt.Errorf("train: %w: a frozen encoder needs a model to start from: an untrained encoder finds nothing", segd.ErrOption)
	case len(o.Repeat) > 0 && len(o.Repeat) != len(o.Datasets):
		return bad("number of repetitions", len(o.Repeat), fmt.Sprintf("%d, one for each data set", len(o.Datasets)))
	case slices.ContainsFunc(o.Repeat, func(n int) bool { return n < 1 || n > 1000 }):
		return bad("repetitions", o.Repeat, "1 to 1000 each")
	case math.IsNaN(o.Foreground) || o.Foreground > 1:
		return bad("foreground share", o.Foreground, "at most 1")
	}
	return nil
}

// validateSolver checks the options of the solver.
func (o Options) validateSolver() error {
	switch {
	case !(o.LearnRate >= 0 && o.LearnRate <= 1):
		return bad("learning rate", o.LearnRate, "0 to 1")
	case math.IsNaN(o.WeightDecay) || o.WeightDecay > 1:
		return bad("weight decay", o.WeightDecay, "at most 1")
	case o.Solver != "" && o.Solver != SolverAdamW && o.Solver != SolverSGD:
		return bad("solver", o.Solver, "adamw or sgd")
	case o.Momentum != 0 && o.Solver != SolverSGD:
		return bad("momentum", o.Momentum, "none: momentum is an option of solver sgd")
	case !(o.Momentum >= 0 && o.Momentum < 1):
		return bad("momentum", o.Momentum, "0 to less than 1")
	case o.Schedule != "" && o.Schedule != ScheduleCosine && o.Schedule != SchedulePoly:
		return bad("schedule", o.Schedule, "cosine or poly")
	case o.Patience < 0:
		return bad("patience", o.Patience, "0 or more")
	}
	return nil
}

// bad returns the error for an option with an invalid value.
func bad(field string, v any, want string) error {
	return fmt.Errorf("train: %w: %s %v, want %s", segd.ErrOption, field, v, want)
}

// EventKind says what an Event is about.
type EventKind string

// Kinds of events, in the order they occur.
const (
	EventWarning    EventKind = "warning"    // Message says something about the data that the user should know
	EventPlan       EventKind = "plan"       // the plan is complete: Message summarises it, Steps is final
	EventStep       EventKind = "step"       // at most about two per second
	EventValidation EventKind = "validation" // ValDice or ValMAE is new
	EventDone       EventKind = "done"       // Message says how it ended
)

// Event is the content of one progress line or JSON line.
type Event struct {
	Kind     EventKind `json:"event"`
	Message  string    `json:"message,omitempty"`
	Step     int       `json:"step"`  // done so far
	Steps    int       `json:"steps"` // in all
	Epoch    int       `json:"epoch"` // counted from 1
	Loss     float64   `json:"loss"`  // running mean
	Rate     float64   `json:"lr"`
	ValDice  *float64  `json:"val_dice,omitempty"`       // of the last validation: mean over cases, as in evaluate.Run
	ValGroup *float64  `json:"val_group_dice,omitempty"` // the same over groups, with their pixels pooled
	BestDice *float64  `json:"best_dice,omitempty"`      // ValDice of the kept weights

	// Used instead if labels are values: mean absolute errors, in the unit of the
	// labels.
	ValMAE      *float64 `json:"val_mae,omitempty"`
	ValGroupMAE *float64 `json:"val_group_mae,omitempty"`
	BestMAE     *float64 `json:"best_mae,omitempty"`

	Images  float64 `json:"images_per_s"`
	Elapsed float64 `json:"elapsed_s"` // of all runs of this training together
	ETA     float64 `json:"eta_s"`
}

// Result is the result of a training.
type Result struct {
	Plan     Plan
	Steps    int     // done
	ValDice  float64 // of the kept weights; 0 before the first validation
	ValGroup float64
	ValMAE   float64 // used instead if labels are values, in their unit
	GroupMAE float64 // likewise for ValGroup
	BestStep int
	Seconds  float64   // of all runs together
	Model    string    // the model directory; empty before the first validation
	History  []Row     // one row for each validation
	Trace    []Trace   // if Options.Trace is set
	Losses   []float64 // likewise: for each step, before it updates the weights
}
