package dataset

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"segd"
	"segd/internal/scanio"
)

// list makes an entry of each image, or of the files of its channels.
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
		p.entries[i].number = append(p.entries[i].number, channel) // stems are sorted, so channels come in order
	}
	for i := range p.entries {
		p.entries[i].err = p.checkChannels(&p.entries[i])
	}
}

// checkChannels refuses an image whose files are not all its channels. A file alone
// may hold all of them in colour, which shows when it is read.
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

// channelFile names the file of a channel, and what it shows where that is known.
func channelFile(base string, channel int, names []string) string {
	file := fmt.Sprintf("%s_%04d", base, channel)
	if channel < len(names) {
		file += " (" + names[channel] + ")"
	}
	return file
}

// join opens the files of an image, one or one a channel, as one scan.
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

// ReadImage reads the case's frame; several files are its channels.
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
		return nil, fmt.Errorf("train: image %s: %w: one file of %d channel, dataset.json names %d (%s): the files of the others are missing",
			c.Where(c.Image), segd.ErrFormat, img.Channels, want, strings.Join(c.channelNames, ", "))
	}
	return img, nil
}

// colours reports whether channels are red, green and blue, which one file holds.
func colours(names []string) bool {
	return len(names) == 3 && slices.EqualFunc(names, []string{"r", "g", "b"}, func(name, letter string) bool {
		return strings.HasPrefix(strings.ToLower(name), letter)
	})
}

// channels names the channels of a case that come as files of their own; nil where
// the case is one file.
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

// Channels names the channels of the images that come as files of their own, which
// must be the same of all cases, else segd.ErrFormat; nil where images are one file.
func (d *Dataset) Channels() (first []string, err error) {
	for i := range d.Cases {
		names := d.Cases[i].channels()
		if i == 0 {
			first = names
		}
		if !slices.EqualFunc(names, first, strings.EqualFold) {
			return nil, fmt.Errorf("train: %w: case %s is %s, case %s is %s: all images of a training need the same channels in the same order",
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

// FitChannels refuses a model whose channels are not those of the data: another
// number, or the same ones in another order, is segd.ErrUnprocessable. warning names
// those that are called otherwise.
func (d *Dataset) FitChannels(model string, channels []string) (warning string, err error) {
	names, err := d.Channels()
	if err != nil {
		return "", err
	}
	differs := func() error {
		return fmt.Errorf("train: %w: the data are %s, model %s takes %s", segd.ErrUnprocessable, describeChannels(names), model, describeChannels(channels))
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
		warning = fmt.Sprintf("the data call their channels %s, model %s calls them %s: they are taken in this order",
			strings.Join(names, ", "), model, strings.Join(channels, ", "))
	}
	return warning, nil
}
