package export

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"segd"
	"segd/dicomio"
	"segd/internal/metaimage"
	"segd/internal/nifti"
	"segd/internal/nrrd"
	"segd/internal/postprocess"
	"segd/internal/segment"
	"segd/unet"
)

// Volumes are the masks or values of the frames of a scan as volumes: one, or one for
// each stack of frames that are turned against each other. Each can be written as any
// kind of volume, and measured. It is not safe for concurrent use.
type Volumes struct {
	content nifti.Content
	label   string // the kinds that are to be written: nifti, nrrd
	writers []*nifti.Writer
	voxels  []float64 // volume of a voxel of each in mm³; 0: unknown
	places  []place   // by frame
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

// NewVolumes returns the volumes of the frames of scan, for what networks with that head
// give and kinds of volume to be written, which may be none. They lie where the scan
// does: a NIfTI file's geometry is kept, a DICOM
// file's is that of its image planes, in order along their normal and with a
// fourth axis where several lie at each place. Where nothing says where the scan
// lies, there is one volume with the spacing of the first frame, if that is
// known, and without a position; a warning says so.
//
// The errors are those of the scan's readers, and a NoVolumeError for frames that
// have positions and make up no volume.
func NewVolumes(scan *segd.Scan, head unet.Head, kinds []string) (*Volumes, error) {
	v := &Volumes{content: contents[head], label: strings.Join(kinds, " and ")}
	if h := nifti.HeaderOf(scan); h != nil {
		if slices.Contains(kinds, NIfTI) {
			v.Warnings = h.Disagreement()
		} else if !h.Placed() {
			v.Warnings = []string{fmt.Sprintf("the %s has no position, as the file has none", v.label)}
		}
		v.add(nifti.LikeWriter(h, v.content), scan.Frames, voxelMM3(scan, h))
		return v, nil
	}
	if scan.Format == "dicom" {
		// A file that no object can refer to has pixels all the same.
		if sources, err := dicomio.SourcesOf(scan); err == nil {
			s := sources[0]
			stacks, err := dicomio.StacksOf(scan)
			if err != nil {
				return nil, &NoVolumeError{err}
			}
			if len(stacks) > 0 {
				if !s.Placed() {
					v.Warnings = append(v.Warnings, fmt.Sprintf("the file names no frame of reference (0020,0052): its %s lies where its position has it, which need not be where other files' have theirs", v.label))
				}
				if s.AssumesThickness() && slices.ContainsFunc(stacks, func(s *dicomio.Stack) bool { return s.Depth == 1 }) {
					v.Warnings = append(v.Warnings, fmt.Sprintf("the file states no slice thickness (0018,0050): its %s takes the distance between slices (0018,0088), or else that between rows", v.label))
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
	v.Warnings = append(v.Warnings, fmt.Sprintf("the %s has no position: nothing says where in the patient the frames lie", v.label))
	v.add(w, scan.Frames, 0)
	return v, nil
}

// voxelMM3 is the volume of a voxel of scan, whose header is h; 0 where it is unknown. A
// NIfTI file may have distances and no place.
func voxelMM3(scan *segd.Scan, h *nifti.Header) float64 {
	if h.Placed() || scan.Format == "nifti" {
		return h.Affine.VoxelMM3()
	}
	return 0
}

// Planes reports whether the frames of a scan are the planes of volumes: those of a
// volume file, or those of a DICOM file that have positions and make up volumes.
func Planes(scan *segd.Scan) bool {
	if scan.Frames < 2 {
		return false
	}
	if h := nifti.HeaderOf(scan); h != nil {
		return h.Depth > 1
	}
	stacks, err := dicomio.StacksOf(scan)
	return err == nil && len(stacks) > 0
}

// add adds the volume of the next n frames, in their order, with voxels of mm3.
func (v *Volumes) add(w *nifti.Writer, n int, mm3 float64) {
	for k := range n {
		v.places = append(v.places, place{len(v.writers), k})
	}
	v.writers, v.voxels = append(v.writers, w), append(v.voxels, mm3)
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
		v.writers, v.voxels = append(v.writers, w), append(v.voxels, s.Affine.VoxelMM3())
		for k, frame := range s.Order {
			if frame >= scan.Frames {
				return fmt.Errorf("export: %w: frame %d of %d", segd.ErrUnprocessable, frame+1, scan.Frames)
			}
			v.places[frame] = place{i, k}
		}
		name := v.label
		if len(stacks) > 1 {
			name = fmt.Sprintf("%s _%d", v.label, i+1)
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
		v.Warnings = append(v.Warnings, fmt.Sprintf("the frames are %d stacks that lie differently, and there is a %s for each; %s", len(stacks), v.label, strings.Join(parts, "; ")))
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

// Write writes volume k as a kind. Frames that are missing are
// segd.ErrUnprocessable; errors of w are passed on as they are. Nothing can be added
// afterwards.
func (v *Volumes) Write(w io.Writer, kind string, k int) error {
	if kind == NIfTI {
		return v.writers[k].Write(w)
	}
	layout, voxels, err := v.writers[k].Voxels()
	if err != nil {
		return err
	}
	if kind == NRRD {
		return nrrd.Write(w, layout, voxels)
	}
	return metaimage.Write(w, layout, voxels)
}

// Measured is what was measured in the masks of a volume at one time.
type Measured struct {
	Width    int      `json:"width"`
	Height   int      `json:"height"`
	Depth    int      `json:"depth"`               // planes
	Time     int      `json:"time,omitempty"`      // from 1; absent where there is one
	VoxelMM3 *float64 `json:"voxel_mm3,omitempty"` // where it is known
	// Classes are all but background.
	Classes []postprocess.VolumeMeasurement `json:"classes"`
}

// Measure measures the masks of volume k, at each time, when all are there. Errors are
// those of Write. Nothing can be added afterwards.
func (v *Volumes) Measure(k int, classes []segd.Class) ([]*Measured, error) {
	layout, voxels, err := v.writers[k].Voxels()
	if err != nil {
		return nil, err
	}
	times := max(1, layout.Times)
	var list []*Measured
	for t := range times {
		m := &Measured{Width: layout.Width, Height: layout.Height, Depth: layout.Depth}
		if times > 1 {
			m.Time = t + 1
		}
		if mm3 := v.voxels[k]; mm3 > 0 {
			m.VoxelMM3 = &mm3
		}
		if m.Classes, err = postprocess.MeasureVolume(voxels, layout.Width, layout.Height, layout.Depth, classes, v.voxels[k]); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// Frames lists the frames of volume k, in the order of its planes through all times.
func (v *Volumes) Frames(k int) []int {
	list := make([]int, v.writers[k].Planes())
	for frame, p := range v.places {
		if p.volume == k {
			list[p.plane] = frame
		}
	}
	return list
}

// Depth is the number of planes of each time of volume k.
func (v *Volumes) Depth(k int) int { return v.writers[k].Depth() }

// NewStackVolumes returns the volume of the slices of a DICOM series, of width×height
// pixels each, which Add takes as frames in the order of the stack. Steps and
// Warnings are those of each slice. Errors are those of nifti.NewWriter.
func NewStackVolumes(s *dicomio.Stack, width, height int, head unet.Head) (*Volumes, error) {
	v := &Volumes{content: contents[head]}
	g := stackGrid(s, width, height)
	w, err := nifti.NewWriter(g, v.content)
	if err != nil {
		return nil, err
	}
	if tilt := g.Tilt(v.content); tilt != "" {
		v.Steps, v.Warnings = []string{tilt}, []string{tilt}
	}
	v.add(w, len(s.Order), s.Affine.VoxelMM3())
	return v, nil
}

func stackGrid(s *dicomio.Stack, width, height int) nifti.Grid {
	return nifti.Grid{Width: width, Height: height, Depth: s.Depth, Times: s.Times, Affine: &s.Affine}
}
