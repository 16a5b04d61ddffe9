package models

import (
	"fmt"
	"slices"

	"segd"
	"segd/internal/classes"
	"segd/unet"
)

// Join returns the manifest and the weights, for SaveEnsemble, of an ensemble of
// models that differ only in their weights, such as the folds of a cross-validation.
// Classes are matched by name, so that models may number them differently. The
// manifest is that of the first model without its title and figures, which describe a
// single network. Training times are added up.
//
// Models with other differences are segd.ErrOption. Other errors are those of Params.
func Join(list []*Model) (man Manifest, all []*unet.Params, err error) {
	for i, m := range list {
		p, err := m.Params()
		if err != nil {
			return man, nil, err
		}
		if i == 0 {
			man = m.Manifest
			man.Title, man.Metrics = "", nil
			if tr := man.Training; tr != nil {
				shared := *tr
				man.Training = &shared
			}
		} else if p, err = man.join(p, m, list[0]); err != nil {
			return man, nil, err
		}
		all = append(all, p)
	}
	return man, all, nil
}

// join adds another model to the manifest of an ensemble that starts with first. It
// returns the weights p with the classes in the ensemble's order.
func (m *Manifest) join(p *unet.Params, next, first *Model) (*unet.Params, error) {
	if next.Network != m.Network || next.Recipe != m.Recipe || !slices.Equal(next.Channels, m.Channels) || next.wants() != m.wants() {
		return nil, fmt.Errorf("models: %w: %s and %s differ in network, preprocessing, channels or plane: the models of an ensemble may differ only in their weights",
			segd.ErrOption, first.called(), next.called())
	}
	if tr := next.Training; tr != nil && m.Training != nil {
		m.Training.Seconds += tr.Seconds
		m.Training.NoFlip = m.Training.NoFlip || tr.NoFlip
	}
	table, err := classes.Match(classes.List{Whose: first.called(), Names: m.ForegroundNames()}, classes.List{Whose: next.called(), Names: next.ForegroundNames()})
	if err != nil {
		return nil, fmt.Errorf("models: %w: the models of an ensemble differ: %v", segd.ErrOption, err)
	}
	if table == nil {
		return p, nil
	}
	from := make([]int, len(m.Classes))
	for i := range from {
		from[i] = int(table[i])
	}
	return p.Adapt(m.Network, from, 0)
}

// wants returns the plane to which volumes are reoriented, or the zero value if they
// are not.
func (m *Manifest) wants() (p segd.Plane) {
	if m.Planes != nil && m.Planes.Wants != nil {
		p = *m.Planes.Wants
	}
	return p
}

// called returns a name for use in messages, for a model that may share its name with
// others.
func (m *Model) called() string {
	if m.Origin == embeddedOrigin || m.Origin == "" {
		return m.Name
	}
	return m.Origin
}
