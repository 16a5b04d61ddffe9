package dataset

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"segd"
	"segd/internal/scanio"
)

// list makes one entry for each image, or for the files of its channels.
func (p *pairing) list(stems []string, images map[string]string) {
	at := map[string]int{}
	for _, stem := range stems {
		name, channel, ok := scanio.ChannelOf(stem)
		if p.spec == nil || !ok || p.masks[stem] != "" {
			p.entries = append(p.entries, entry{stem: stem, image: images[stem]})
			continue
		}
		i, seen := at[name]
		if !seen {
			i = len(p.entries)
			at[name] = i
			p.entries = append(p.entries, entry{stem: name, image: images[stem]})
		} else {
			p.entries[i].more = append(p.entries[i].more, images[stem])
		}
		p.entries[i].number = append(p.entries[i].number, channel) // stems are sorted, so the channels are in order
	}
	for i := range p.entries {
		p.entries[i].err = p.checkChannels(&p.entries[i])
	}
}

// checkChannels refuses an image that lacks files of some channels. A single file may
// hold them all in colour, which is checked when the file is read.
func (p *pairing) checkChannels(e *entry) error {
	have := len(e.number)
	if have == 0 {
		return nil
	}
	want := len(p.spec.channels)
	if have == 1 && e.number[0] == 0 {
		want = 1
	}
	base := path.Base(e.stem)
	err := scanio.CheckChannels(e.number, want, func(k int) string { return channelFile(base, k, p.spec.channels) })
	switch {
	case err != nil:
		return fmt.Errorf("train: image %s: %w", e.image, err)
	case have != 1 && have != 3:
		return fmt.Errorf("train: image %s: %w: %d channels, want 1 or 3", e.image, segd.ErrUnsupported, have)
	}
	return nil
}

// channelFile names the file of a channel and, where known, what it shows.
func channelFile(base string, channel int, names []string) string {
	file := fmt.Sprintf("%s_%04d", base, channel)
	if channel < len(names) {
		file += " (" + names[channel] + ")"
	}
	return file
}

// join opens the files of an image, either one file or one per channel, as one scan.
func (f *files) join(image string, more []string) (*segd.Scan, error) {
	var channels []*scanio.Channel
	for _, path := range append([]string{image}, more...) {
		o, err := f.open(path, asImage)
		if err != nil {
			return nil, err
		}
		channels = append(channels, o.channel)
	}
	scan, err := scanio.JoinChannels(channels)
	if err != nil {
		return nil, fmt.Errorf("train: image %s: %w", image, err)
	}
	return scan, nil
}

// ReadImage reads the case's frame. If the image has several files, they are its
// channels.
func (c *Case) ReadImage() (*segd.Image, error) {
	scan, err := c.opener().join(c.Image, c.More)
	if err != nil {
		return nil, err
	}
	img, err := scan.Frame(c.Frame)
	if err != nil {
		return nil, fmt.Errorf("train: image %s: %w", c.Where(c.Image), err)
	}
	if want := len(c.channelNames); len(c.More) == 0 && want > 1 && img.Channels != want && !colours(c.channelNames) {
		return nil, fmt.Errorf("train: image %s: %w: one file of %d channel, but dataset.json names %d (%s): the files of the other channels are missing",
			c.Where(c.Image), segd.ErrFormat, img.Channels, want, strings.Join(c.channelNames, ", "))
	}
	return img, nil
}

// colours reports whether the channels are red, green and blue, which one file holds
// together.
func colours(names []string) bool {
	return len(names) == 3 && slices.EqualFunc(names, []string{"r", "g", "b"}, func(name, letter string) bool {
		return strings.HasPrefix(strings.ToLower(name), letter)
	})
}

// channels names the channels of a case that have a file each. It returns nil if the
// case is a single file.
func (c *Case) channels() []string {
	if len(c.More) == 0 {
		return nil
	}
	names := slices.Clone(c.channelNames)
	for k := len(names); k <= len(c.More); k++ {
		names = append(names, fmt.Sprint("channel ", k))
	}
	return names
}

// Channels names the channels of images that have a file for each channel. It returns
// nil if each image is a single file, and segd.ErrFormat if the cases have different
// channels.
func (d *Dataset) Channels() (first []string, err error) {
	for i := range d.Cases {
		names := d.Cases[i].channels()
		if i == 0 {
			first = names
		}
		if !slices.EqualFunc(names, first, strings.EqualFold) {
			return nil, fmt.Errorf("train: %w: case %s is %s, case %s is %s: all images of a training set need the same channels in the same order",
				segd.ErrFormat, d.Cases[0].ID, describeChannels(first), d.Cases[i].ID, describeChannels(names))
		}
	}
	return first, nil
}

func describeChannels(names []string) string {
	if len(names) == 0 {
		return "a single image"
	}
	return "files of the channels " + strings.Join(names, ", ")
}

// FitChannels checks that the model's channels are those of the data. A different
// number of channels, or the same ones in a different order, is
// segd.ErrUnprocessable. The warning lists channels whose names differ.
func (d *Dataset) FitChannels(model string, channels []string) (warning string, err error) {
	names, err := d.Channels()
	if err != nil {
		return "", err
	}
	differs := func() error {
		return fmt.Errorf("train: %w: the data have %s, model %s takes %s", segd.ErrUnprocessable, describeChannels(names), model, describeChannels(channels))
	}
	if len(names) != len(channels) {
		return "", differs()
	}
	for i, name := range names {
		if strings.EqualFold(name, channels[i]) {
			continue
		}
		if slices.ContainsFunc(channels, func(n string) bool { return strings.EqualFold(n, name) }) {
			return "", differs()
		}
		warning = fmt.Sprintf("the data call their channels %s, model %s calls them %s: segd matches them in this order",
			strings.Join(names, ", "), model, strings.Join(channels, ", "))
	}
	return warning, nil
}
