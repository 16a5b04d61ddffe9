package scanio

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"segd"
	"segd/dicomio"
	"segd/internal/nifti"
)

// Channel is a file that holds one channel of an image, such as the T1 of an
// examination that has T2 and FLAIR as well.
type Channel struct {
	Name   string // in errors
	Scan   *segd.Scan
	Source *dicomio.Source // of a DICOM file that objects can refer to; else nil

	volume  *nifti.Header // of a NIfTI file
	patient string        // PatientID (0010,0020); never told
}

// ReadChannel is ReadWith of a file that is one channel of an image. Errors are those
// of Read and do not repeat the name.
func ReadChannel(name string, b []byte, o Options) (*Channel, error) {
	b, err := Inflate(b)
	if err != nil {
		return nil, err
	}
	scan, err := ReadWith(b, o)
	if err != nil {
		return nil, err
	}
	c := &Channel{Name: name, Scan: scan}
	if scan.Format == "dicom" {
		// A file that no object can refer to has pixels all the same.
		c.Source, _ = dicomio.SourceOf(scan)
		c.patient = patientID(b)
	}
	c.volume = nifti.HeaderOf(scan)
	return c, nil
}

// patientID is the PatientID (0010,0020) of a DICOM file; empty where it has none.
func patientID(b []byte) string {
	list, err := dicomio.Patient(b)
	if err != nil {
		return ""
	}
	for _, a := range list {
		if a.Tag == "(0010,0020)" {
			return strings.TrimSpace(a.Value)
		}
	}
	return ""
}

// JoinChannels makes one scan of the channels of an image, in their order. Each
// frame of it has the pixels of all, is Separate, and lies, is displayed and is
// described as that of the first channel. One channel alone is its own scan.
//
// Sizes, numbers of frames and, where the files say them, pixel spacings and
// places in the patient must agree: corners may lie a tenth of a pixel apart. Files
// of different patients are refused. The errors are segd.ErrUnprocessable and
// name the channel at fault; those of colour come with the frame. Frame is safe
// for concurrent use where it is of each channel.
func JoinChannels(list []*Channel) (*segd.Scan, error) {
	switch len(list) {
	case 0:
		return nil, fmt.Errorf("scanio: %w: no channel", segd.ErrFormat)
	case 1:
		return list[0].Scan, nil
	}
	first := list[0]
	joined := *first.Scan
	joined.Channels = len(list)
	joined.Steps = together(list, func(s *segd.Scan) []string { return s.Steps })
	joined.Steps = append(joined.Steps, fmt.Sprintf("%d files joined, each a channel", len(list)))
	joined.Warnings = together(list, func(s *segd.Scan) []string { return s.Warnings })
	for k, c := range list[1:] {
		warning, err := c.fits(first)
		if err != nil {
			return nil, err
		}
		if warning != "" {
			joined.Warnings = append(joined.Warnings, fmt.Sprintf("channel %d: %s", k+1, warning))
		}
		joined.Clean = joined.Clean && c.Scan.Clean
	}
	joined.Frame = func(i int) (*segd.Image, error) { return joinFrame(list, i) }
	return &joined, nil
}

// together lists what the channels' scans say, each once where all say the same,
// else with the number of the channel.
func together(list []*Channel, say func(*segd.Scan) []string) []string {
	same := true
	for _, c := range list {
		same = same && slices.Equal(say(c.Scan), say(list[0].Scan))
	}
	if same {
		return slices.Clone(say(list[0].Scan))
	}
	var all []string
	for k, c := range list {
		for _, text := range say(c.Scan) {
			all = append(all, fmt.Sprintf("channel %d: %s", k, text))
		}
	}
	return all
}

// bad is the error of a channel that cannot be joined with the others.
func (c *Channel) bad(format string, a ...any) error {
	return fmt.Errorf("scanio: %w: channel %s %s", segd.ErrUnprocessable, c.Name, fmt.Sprintf(format, a...))
}

// fits refuses a channel that does not lie on the first one. warning says what could
// not be compared.
func (c *Channel) fits(first *Channel) (warning string, err error) {
	a, b := c.Scan, first.Scan
	switch {
	case a.Width != b.Width || a.Height != b.Height:
		return "", c.bad("has %d×%d pixels, %s has %d×%d", a.Width, a.Height, first.Name, b.Width, b.Height)
	case a.Frames != b.Frames:
		return "", c.bad("has %d frames, %s has %d", a.Frames, first.Name, b.Frames)
	case max(1, a.Orientation) != max(1, b.Orientation):
		return "", c.bad("is to be shown with orientation %d, %s with %d: store both upright", max(1, a.Orientation), first.Name, max(1, b.Orientation))
	case c.patient != "" && first.patient != "" && c.patient != first.patient:
		return "", c.bad("is of another patient (0010,0020) than %s", first.Name)
	}
	_, here := c.corners(0)
	_, there := first.corners(0)
	if here != there {
		return fmt.Sprintf("only one of two files says where it lies: taken to lie on the first channel, pixel for pixel (%s and %s)", a.Format, b.Format), nil
	}
	for i := 0; here && i < a.Frames; i++ {
		p, _ := c.corners(i)
		q, ok := first.corners(i)
		if !ok {
			break
		}
		pixel := min(length(q[0], q[1])/float64(max(1, b.Width-1)), length(q[0], q[2])/float64(max(1, b.Height-1)))
		for k := range p {
			if d := length(p[k], q[k]); d > max(pixel, 0.01)/10 {
				return "", c.bad("lies %.3g mm from %s (frame %d): resample the channels to one grid", d, first.Name, i+1)
			}
		}
	}
	return "", nil
}

// corners are the centres of the first pixel of frame i, of the last of its first
// row and of the last of its first column, in mm, left, posterior and superior
// rising. ok is false where the file does not say.
func (c *Channel) corners(i int) (p [3][3]float64, ok bool) {
	var origin, right, down [3]float64
	switch {
	case c.Source != nil:
		if origin, right, down, ok = c.Source.FramePlane(i); !ok {
			return p, false
		}
	case c.volume != nil && c.volume.Placed():
		a := c.volume.Affine
		for r := range 3 {
			sign := 1.0
			if r < 2 { // NIfTI has right and anterior rising
				sign = -1
			}
			right[r], down[r] = sign*a[r][0], sign*a[r][1]
			origin[r] = sign * (a[r][2]*float64(i%c.volume.Depth) + a[r][3])
		}
	default:
		return p, false
	}
	for r := range 3 {
		p[0][r] = origin[r]
		p[1][r] = origin[r] + float64(c.Scan.Width-1)*right[r]
		p[2][r] = origin[r] + float64(c.Scan.Height-1)*down[r]
	}
	return p, true
}

func length(a, b [3]float64) float64 {
	return math.Hypot(math.Hypot(a[0]-b[0], a[1]-b[1]), a[2]-b[2])
}

// joinFrame is frame i of all channels.
func joinFrame(list []*Channel, i int) (*segd.Image, error) {
	var all *segd.Image
	n := len(list)
	for k, c := range list {
		img, err := c.Scan.Frame(i)
		if err != nil {
			return nil, fmt.Errorf("channel %s: %w", c.Name, err)
		}
		if img.Channels != 1 {
			return nil, c.bad("is in colour, want one grey channel a file")
		}
		if all == nil {
			head := *img
			all = &head
			all.Channels, all.Separate, all.Padding = n, true, nil
			all.Pix = make([]float32, len(img.Pix)*n)
		}
		if img.Width != all.Width || img.Height != all.Height {
			return nil, c.bad("has %d×%d pixels, %s has %d×%d", img.Width, img.Height, list[0].Name, all.Width, all.Height)
		}
		if a, b := img.Spacing, all.Spacing; a.Known() && b.Known() && (differ(a.RowMM, b.RowMM) || differ(a.ColMM, b.ColMM)) {
			return nil, c.bad("has pixels of %.4g mm × %.4g mm, %s of %.4g mm × %.4g mm", a.RowMM, a.ColMM, list[0].Name, b.RowMM, b.ColMM)
		}
		for j, v := range img.Pix {
			all.Pix[j*n+k] = v
		}
		if img.Padding != nil && all.Padding == nil {
			all.Padding = make([]bool, len(img.Padding))
		}
		for j, pad := range img.Padding { // a pixel that one channel lacks says nothing
			all.Padding[j] = all.Padding[j] || pad
		}
	}
	return all, nil
}

// differ reports whether distances differ by more than a file rounds them.
func differ(a, b float64) bool { return math.Abs(a-b) > 0.01*max(a, b) }

// ChannelOf parts the stem of a file into the image and the number of a channel, as
// nnU-Net names files: CASE_0001 is channel 1 of CASE. ok is false for a stem without
// an underscore and four digits at its end.
func ChannelOf(stem string) (name string, channel int, ok bool) {
	i := len(stem) - 5
	if i < 1 || stem[i] != '_' || stem[i-1] == '/' {
		return stem, 0, false
	}
	n, err := strconv.ParseUint(stem[i+1:], 10, 16)
	if err != nil {
		return stem, 0, false
	}
	return stem[:i], int(n), true
}

// CheckChannels returns nil where numbers, which are sorted, are those of want
// channels, 0 and on, each once; want 0 is as many as there are. label names a
// channel. The error, segd.ErrUnprocessable, says which there are and which lack.
func CheckChannels(numbers []int, want int, label func(channel int) string) error {
	wanted := ""
	if want == 0 {
		want = len(numbers)
	} else {
		wanted = fmt.Sprintf("%d channels are wanted: ", want)
	}
	names := func(list []int) string {
		var all []string
		for i, n := range list {
			if i == 0 || n != list[i-1] {
				all = append(all, label(n))
			}
		}
		return strings.Join(all, ", ")
	}
	var missing, beyond []int
	for k := range want {
		if !slices.Contains(numbers, k) {
			missing = append(missing, k)
		}
	}
	for i, n := range numbers {
		if i > 0 && n == numbers[i-1] {
			return fmt.Errorf("scanio: %w: channel %s comes twice", segd.ErrUnprocessable, label(n))
		}
		if n >= want {
			beyond = append(beyond, n)
		}
	}
	switch {
	case len(missing) > 0:
		return fmt.Errorf("scanio: %w: %s%s there, %s missing", segd.ErrUnprocessable, wanted, are(names(numbers), len(numbers)), are(names(missing), len(missing)))
	case len(beyond) > 0:
		return fmt.Errorf("scanio: %w: %s%s beyond them", segd.ErrUnprocessable, wanted, are(names(beyond), len(beyond)))
	}
	return nil
}

// are says of n things that they are, or of one that it is.
func are(names string, n int) string {
	if n == 1 {
		return names + " is"
	}
	return names + " are"
}
