package export

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"segd"
	"segd/dicomio"
	"segd/internal/nifti"
	"segd/internal/segment"
	"segd/unet"
)

// Volumes are the masks or values of the frames of a scan as NIfTI files: one,
// or one for each stack of frames that are turned against each other. It is not
// safe for concurrent use.
type Volumes struct {
	content nifti.Content
	writers []*nifti.Writer
	places  []place // by frame
	// Steps say how the frames were put in order or moved, and Warnings what a
	// user should know about where the files lie.
	Steps, Warnings []string
}

// place is where a frame goes.
type place struct{ volume, plane int }

// NoVolumeError says why frames that have positions make up no volume, though
// all other outputs can be made of them. It is segd.ErrUnprocessable.
type NoVolumeError struct{ reason error }

func (e *NoVolumeError) Error() string {
	return e.reason.Error() + "; mask, seg and the other outputs can be made"
}

// Unwrap returns the reason.
func (e *NoVolumeError) Unwrap() error { return e.reason }

// contents are what volumes hold, by what the network gives.
var contents = map[unet.Head]nifti.Content{unet.HeadClasses: nifti.Masks, unet.HeadRegression: nifti.Values}

// NewNIfTI returns the volumes of the frames of scan, for what networks with that head give.
// They lie where the scan does: a NIfTI file's geometry is kept, a DICOM
// file's is that of its image planes, in order along their normal and with a
// fourth axis where several lie at each place. Where nothing says where the scan
// lies, there is one volume with the spacing of the first frame, if that is
// known, and without a position; a warning says so.
//
// The errors are those of the scan's readers, and a NoVolumeError for frames that
// have positions and make up no volume.
func NewNIfTI(scan *segd.Scan, head unet.Head) (*Volumes, error) {
	v := &Volumes{content: contents[head]}
	if h := nifti.HeaderOf(scan); h != nil {
		v.Warnings = h.Disagreement()
		v.add(nifti.LikeWriter(h, v.content), scan.Frames)
		return v, nil
	}
	if scan.Format == "dicom" {
		// A file that no object can refer to has pixels all the same.
		if s, err := dicomio.SourceOf(scan); err == nil {
			stacks, err := s.Stacks()
			if err != nil {
				return nil, &NoVolumeError{err}
			}
			if len(stacks) > 0 {
				if !s.Placed() {
					v.Warnings = append(v.Warnings, "the file names no frame of reference (0020,0052): its nifti lies where its position has it, which need not be where other files' have theirs")
				}
				if s.AssumesThickness() && slices.ContainsFunc(stacks, func(s *dicomio.Stack) bool { return s.Depth == 1 }) {
					v.Warnings = append(v.Warnings, "the file states no slice thickness (0018,0050): its nifti takes the distance between slices (0018,0088), or else that between rows")
				}
				if err := v.addStacks(stacks, scan); err != nil {
					return nil, &NoVolumeError{err}
				}
				return v, nil
			}
		}
	}
	first, err := scan.Frame(0)
	if err != nil {
		return nil, err
	}
	w, err := nifti.NewWriter(nifti.Grid{Width: scan.Width, Height: scan.Height, Depth: scan.Frames, Spacing: first.Spacing}, v.content)
	if err != nil {
		return nil, err
	}
	v.Warnings = append(v.Warnings, "the nifti has no position (sform_code and qform_code 0): nothing says where in the patient the frames lie")
	v.add(w, scan.Frames)
	return v, nil
}

// add adds the volume of the next n frames, in their order.
func (v *Volumes) add(w *nifti.Writer, n int) {
	for k := range n {
		v.places = append(v.places, place{len(v.writers), k})
	}
	v.writers = append(v.writers, w)
}

// addStacks adds a volume for each stack of the frames of scan.
func (v *Volumes) addStacks(stacks []*dicomio.Stack, scan *segd.Scan) error {
	v.places = make([]place, scan.Frames)
	var parts []string
	for i, s := range stacks {
		w, err := nifti.NewWriter(stackGrid(s, scan.Width, scan.Height), v.content)
		if err != nil {
			return err
		}
		v.writers = append(v.writers, w)
		for k, frame := range s.Order {
			if frame >= scan.Frames {
				return fmt.Errorf("export: %w: frame %d of %d", segd.ErrUnprocessable, frame+1, scan.Frames)
			}
			v.places[frame] = place{i, k}
		}
		name := "nifti"
		if len(stacks) > 1 {
			name = fmt.Sprintf("nifti _%d", i+1)
		}
		frames := fmt.Sprintf("%s: frames %s", name, ranges(s.Order))
		if s.Times > 1 {
			frames += fmt.Sprintf(", %d planes at %d times", s.Depth, s.Times)
		}
		parts = append(parts, frames)
		if !slices.IsSorted(s.Order) || s.Times > 1 || len(stacks) > 1 {
			v.Steps = append(v.Steps, frames)
		}
		if tilt := stackGrid(s, scan.Width, scan.Height).Tilt(v.content); tilt != "" {
			v.Steps = append(v.Steps, tilt)
			v.Warnings = append(v.Warnings, tilt)
		}
	}
	if len(stacks) > 1 {
		v.Warnings = append(v.Warnings, fmt.Sprintf("the frames are %d stacks that lie differently, and there is a nifti for each; %s", len(stacks), strings.Join(parts, "; ")))
	}
	return nil
}

// ranges lists frames, which are counted from 0, from 1: 1 to 8, 16 to 9.
func ranges(frames []int) string {
	var out []string
	for i := 0; i < len(frames); {
		first, n := i, 1
		if i++; i < len(frames) && (frames[i] == frames[i-1]+1 || frames[i] == frames[i-1]-1) {
			step := frames[i] - frames[i-1]
			for ; i < len(frames) && frames[i] == frames[i-1]+step; i++ {
				n++
			}
		}
		text := fmt.Sprint(frames[first] + 1)
		if n > 1 {
			text += fmt.Sprint(" to ", frames[i-1]+1)
		}
		if out = append(out, text); len(out) == 12 && i < len(frames) {
			out[11] = "…"
			break
		}
	}
	return strings.Join(out, ", ")
}

// Len is the number of files.
func (v *Volumes) Len() int { return len(v.writers) }

// Add adds the result of frame i of the scan, counted from 0; each comes once, in
// any order.
func (v *Volumes) Add(i int, r *segment.Result) error {
	p := v.places[i]
	if v.content == nifti.Values {
		return v.writers[p.volume].AddValuesAt(p.plane, r.Values, r.Image.Width, r.Image.Height)
	}
	return v.writers[p.volume].AddAt(p.plane, r.Mask)
}

// Write writes file k, once. Frames that are missing are
// segd.ErrUnprocessable; errors of w are passed on as they are.
func (v *Volumes) Write(w io.Writer, k int) error { return v.writers[k].Write(w) }

// NewStackNIfTI returns the volume of the slices of a DICOM series, of width×height
// pixels each, which Add takes as frames in the order of the stack. Steps and
// Warnings are those of each slice. Errors are those of nifti.NewWriter.
func NewStackNIfTI(s *dicomio.Stack, width, height int, head unet.Head) (*Volumes, error) {
	v := &Volumes{content: contents[head]}
	g := stackGrid(s, width, height)
	w, err := nifti.NewWriter(g, v.content)
	if err != nil {
		return nil, err
	}
	if tilt := g.Tilt(v.content); tilt != "" {
		v.Steps, v.Warnings = []string{tilt}, []string{tilt}
	}
	v.add(w, len(s.Order))
	return v, nil
}

func stackGrid(s *dicomio.Stack, width, height int) nifti.Grid {
	return nifti.Grid{Width: width, Height: height, Depth: s.Depth, Times: s.Times, Affine: &s.Affine}
}
