package unet

import (
	"fmt"
	"slices"

	"segd/unet/op"
)

// A block is one level of the encoder or decoder: it reads its sources as if
// they were concatenated and leaves LevelWidth channels. Each kind is drawn by
// one function and its weights are listed by another below it.
func (b *builder) block(name string, level int, x ...op.Act) op.Act {
	switch b.Block {
	case BlockResidual:
		return b.residual(name, level, x...)
	case BlockPreact:
		return b.preact(name, level, x...)
	case BlockDense:
		return b.dense(name, level, x...)
	}
	return b.plain(name, level, x...)
}

// block lists the weights of a block of in channels.
func (l *layout) block(name string, level, in int) {
	switch l.Block {
	case BlockResidual, BlockPreact:
		l.units(name, level, in)
	case BlockDense:
		l.dense(name, level, in)
	default:
		l.plain(name, level, in)
	}
}

// convAt and normAt name the i-th convolution of a block and its
// normalisation, counted from 1.
func convAt(name string, i int) string { return fmt.Sprintf("%s.conv%d", name, i) }
func normAt(name string, i int) string { return fmt.Sprintf("%s.norm%d", name, i) }

// plain is 3×3 convolutions one after the other, each followed by
// normalisation and ReLU: with two, the double convolution of Ronneberger et
// al. 2015, Fig. 1.
func (b *builder) plain(name string, level int, x ...op.Act) op.Act {
	for i := 1; i <= b.Convs; i++ {
		x = []op.Act{b.convNorm(convAt(name, i), normAt(name, i), level, true, x...)}
	}
	return x[0]
}

func (l *layout) plain(name string, level, in int) {
	for i := 1; i <= l.Convs; i++ {
		l.convNorm(convAt(name, i), normAt(name, i), level, roleConv, 3, l.LevelWidth(level), in)
		in = l.LevelWidth(level)
	}
}

// residual is units of two convolutions over which a shortcut is added (He et
// al. 2016a, arXiv:1512.03385, Fig. 2, with the projection of option B): the
// gradient passes the sum multiplied by one.
func (b *builder) residual(name string, level int, x ...op.Act) op.Act {
	for i := 1; i < b.Convs; i += 2 {
		y := b.convNorm(convAt(name, i), normAt(name, i), level, true, x...)
		y = b.convNorm(convAt(name, i+1), normAt(name, i+1), level, false, y)
		shortcut := x[0]
		if i == 1 && b.has(name+".shortcut.conv.weight") {
			shortcut = b.convNorm(name+".shortcut.conv", name+".shortcut.norm", level, false, x...)
		}
		x = []op.Act{b.add(true, y, shortcut)}
	}
	return x[0]
}

// preact is the unit of He et al. 2016b (arXiv:1603.05027), Fig. 1(b): nothing
// but sums lies on the way of the shortcut, and convolutions read what was
// normalised and activated. As at the stages of that paper's networks, the
// activation before the first unit is shared by its convolution and its
// projection; here it is the last thing of the block before, so that what
// leaves a block is activated whatever the kind of block.
func (b *builder) preact(name string, level int, x ...op.Act) op.Act {
	shortcut := x[0]
	if b.has(name + ".shortcut.conv.weight") {
		shortcut = b.conv(name+".shortcut.conv", false, x...)
	}
	for i := 1; i < b.Convs; i += 2 {
		y := b.convNorm(convAt(name, i), normAt(name, i), level, true, x...)
		shortcut = b.add(false, b.conv(convAt(name, i+1), false, y), shortcut)
		x = []op.Act{b.norm(normAt(name, i+1), level, true, shortcut)}
	}
	return x[0]
}

// units lists the weights of residual and preact: of both each convolution has
// its normalisation, and the shortcut is projected where the channels differ.
func (l *layout) units(name string, level, in int) {
	out, total := l.LevelWidth(level), in
	for i := 1; i < l.Convs; i += 2 {
		l.convNorm(convAt(name, i), normAt(name, i), level, roleConv, 3, out, in)
		l.convNorm(convAt(name, i+1), normAt(name, i+1), level, roleLinear, 3, out, out)
		in = out
	}
	switch {
	case total == out:
	case l.Block == BlockPreact:
		l.conv(name+".shortcut.conv", level, roleLinear, 1, out, total, l.Norm == NormNone)
	default:
		l.convNorm(name+".shortcut.conv", name+".shortcut.norm", level, roleLinear, 1, out, total)
	}
}

// dense is convolutions of which each reads all that came before, the sources
// of the block too, and adds Growth channels (Huang et al. 2017,
// arXiv:1608.06993, Fig. 1); a 1×1 transition then brings them to the level's
// width. Growth grows with the level as the width does (Huang et al. 2018,
// CondenseNet, arXiv:1711.09224).
//
// Convolutions read many sources, so nothing is ever copied side by side.
// Normalisation and ReLU follow each convolution and do not precede it as in
// the paper: each layer is normalised once, not anew for each of its readers.
func (b *builder) dense(name string, level int, x ...op.Act) op.Act {
	for i := 1; i <= b.Convs; i++ {
		y := b.convNorm(convAt(name, i), normAt(name, i), level, true, x...)
		x = append(slices.Clip(x), y)
	}
	return b.convNorm(name+".transition.conv", name+".transition.norm", level, true, x...)
}

func (l *layout) dense(name string, level, in int) {
	growth := l.levelGrowth(level)
	for i := 1; i <= l.Convs; i++ {
		l.convNorm(convAt(name, i), normAt(name, i), level, roleConv, 3, growth, in)
		in += growth
	}
	l.convNorm(name+".transition.conv", name+".transition.norm", level, roleConv, 1, l.LevelWidth(level), in)
}
