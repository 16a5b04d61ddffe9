package main

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"segd"
	"segd/internal/scanio"
	"segd/internal/walk"
	"segd/models"
)

// channel is one of the files of an input that has several.
type channel struct {
	number int
	path   string
}

// joinChannels makes one input of the files of each image where the model takes
// channels that are images of their own: CASE_0000, CASE_0001 and so on of one
// folder are CASE. An image whose files are not those of the model's channels stays
// one input, which is refused when its turn comes. m may be nil.
func joinChannels(list []input, m *models.Model) ([]input, error) {
	if m == nil || len(m.Channels) == 0 {
		return list, nil
	}
	var joined []input
	at := map[string]int{}
	for _, in := range list {
		name, number, ok := scanio.ChannelOf(scanio.Stem(in.name))
		if !ok {
			joined = append(joined, in)
			continue
		}
		key := filepath.Join(absolute(filepath.Dir(in.path)), path.Base(name))
		i, seen := at[key]
		if !seen {
			i = len(joined)
			at[key] = i
			joined = append(joined, input{path: in.path, name: name})
		}
		if in.err != nil {
			joined[i].err = in.err
		}
		joined[i].channels = append(joined[i].channels, channel{number, in.path})
	}
	for i := range joined {
		joined[i].checkChannels(m)
	}
	return joined, nameOutputs(joined)
}

// manyChannels bounds the files of an image that may be its channels. More, numbered
// from 0, are the frames of something.
const manyChannels = 8

// channelWarning says that files are named as the channels of one image, where the
// model takes each as an image of its own; empty where they are not.
func channelWarning(list []input) string {
	groups := map[string][]int{}
	for _, in := range list {
		if name, number, ok := scanio.ChannelOf(scanio.Stem(in.name)); ok && len(in.channels) == 0 {
			groups[name] = append(groups[name], number)
		}
	}
	n, first := 0, ""
	for name, numbers := range groups {
		slices.Sort(numbers)
		if len(numbers) < 2 || len(numbers) > manyChannels || scanio.CheckChannels(numbers, 0, strconv.Itoa) != nil {
			continue
		}
		if n++; first == "" || name < first {
			first = name
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("the files of %d images are named like the channels of one image, such as %s_0000 and %s_0001: this model takes a single image, so each file was segmented separately; a model trained on such channels must name them in its model.json (channels)", n, first, first)
}

// checkChannels puts the channels in order and notes what is wrong with them.
func (in *input) checkChannels(m *models.Model) {
	if len(in.channels) == 0 || in.err != nil {
		return
	}
	slices.SortStableFunc(in.channels, func(a, b channel) int { return a.number - b.number })
	in.path = in.channels[0].path
	var numbers []int
	for _, c := range in.channels {
		numbers = append(numbers, c.number)
	}
	base := path.Base(in.name)
	err := scanio.CheckChannels(numbers, len(m.Channels), func(k int) string {
		file := fmt.Sprintf("%s_%04d", base, k)
		if k < len(m.Channels) {
			file += " (" + m.Channels[k] + ")"
		}
		return file
	})
	if err != nil {
		in.err = fmt.Errorf("model %s: %w", m.Name, err)
	}
}

// read reads the file of an input, or joins those of its channels. The bytes are
// those of the first.
func (in *input) read() (*segd.Scan, []byte, error) {
	switch {
	case in.err != nil:
		return nil, nil, in.err
	case len(in.channels) == 0:
		return readScan(in.path)
	}
	var first []byte
	var list []*scanio.Channel
	for _, c := range in.channels {
		b, err := readInput(c.path)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", filepath.Base(c.path), err)
		}
		if first == nil {
			first = b
		}
		read, err := scanio.ReadChannel(filepath.Base(c.path), b)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", filepath.Base(c.path), err)
		}
		list = append(list, read)
	}
	scan, err := scanio.JoinChannels(list)
	return scan, first, err
}

// files are the paths of an input, one for each channel, as --dry-run lists them.
func (in *input) files() string {
	if len(in.channels) == 0 {
		return walk.Printable(in.path)
	}
	var paths []string
	for _, c := range in.channels {
		paths = append(paths, walk.Printable(c.path))
	}
	return strings.Join(paths, "\t")
}
