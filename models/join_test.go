package models_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/models"
	"segd/models/modelstest"
)

// changed writes the bright model with another manifest and opens it.
func changed(t *testing.T, change func(*models.Manifest)) *models.Model {
	t.Helper()
	man := modelstest.Manifest("bright")
	change(&man)
	dir := filepath.Join(t.TempDir(), "m")
	if err := models.Save(dir, man, modelstest.Params(), false); err != nil {
		t.Fatal(err)
	}
	m, err := models.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestJoin(t *testing.T) {
	trained := func(seconds float64, noFlip bool) *models.Model {
		return changed(t, func(m *models.Manifest) { m.Training = &models.Training{Seconds: seconds, NoFlip: noFlip} })
	}
	first := trained(10, false)
	man, all, err := models.Join([]*models.Model{first, trained(5, true)})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || man.Training.Seconds != 15 || !man.Training.NoFlip || man.Title != "" || man.Metrics != nil {
		t.Errorf("%d networks of %+v", len(all), man)
	}
	if first.Training.Seconds != 10 || len(first.Metrics) == 0 {
		t.Error("the first model was changed")
	}

	sagittal := segd.Plane{Name: "sagittal", Right: "A", Down: "I"}
	for name, change := range map[string]func(*models.Manifest){
		"classes":       func(m *models.Manifest) { m.Classes = models.ClassList("dark") },
		"preprocessing": func(m *models.Manifest) { m.Recipe.SpacingMM = 1 },
		"plane":         func(m *models.Manifest) { m.Planes = &models.Planes{Wants: &sagittal} },
	} {
		other := changed(t, change)
		_, _, err := models.Join([]*models.Model{first, other})
		if !errors.Is(err, segd.ErrOption) || !strings.Contains(err.Error(), "differ") || !strings.Contains(err.Error(), other.Origin) {
			t.Errorf("%s: %v, want a segd.ErrOption that names %s", name, err, other.Origin)
		}
	}
}

func TestParseCard(t *testing.T) {
	c, err := models.ParseCard([]byte(`{"title": "T", "classes": [{"index": 0, "name": "background"}, {"index": 1, "name": "light"}], "preprocessing": {"min_width": 64}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.ForegroundNames(); !slices.Equal(got, []string{"light"}) {
		t.Errorf("classes %q", got)
	}
	was := modelstest.Manifest("bright")
	man := c.Merge(was)
	if man.Title != "T" || man.Recipe.MinWidth != 64 || man.Classes[1].Name != "light" || man.Licence != was.Licence || man.Name != "bright" {
		t.Errorf("%+v", man)
	}
	for _, bad := range []string{`{"titel": "T"}`, `{"classes": [{"index": 1, "name": "light"}]}`, `[]`, ``} {
		if _, err := models.ParseCard([]byte(bad)); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// A worse model is promoted only if forced.
func TestPromoteWorse(t *testing.T) {
	m, dir := bright(t), filepath.Join(t.TempDir(), "bright")
	if _, err := models.Promote(dir, "bright", m, models.Promotion{Worse: true}); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("promoted: %v", err)
	}
	if _, err := models.Promote(dir, "bright", m, models.Promotion{Worse: true, Forced: true}); err != nil {
		t.Error(err)
	}
}
