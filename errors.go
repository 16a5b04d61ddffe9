package segd

import "errors"

// Kinds of error. A package wraps the one that fits with its name, the
// measured value and the limit; handlers turn the kind into an HTTP status
// and the CLI into an exit code. No error text holds patient data: tags are
// named by number, values never.
var (
	// ErrFormat: the input is malformed or truncated (400).
	ErrFormat = errors.New("malformed input")
	// ErrOption: a parameter or setting has no such value (400, exit 2).
	ErrOption = errors.New("invalid option")
	// ErrNotFound: there is no such model, file or resource (404).
	ErrNotFound = errors.New("not found")
	// ErrTooLarge: a size is beyond its limit (413).
	ErrTooLarge = errors.New("too large")
	// ErrUnsupported: the input is valid but of a kind segd does not read (415).
	ErrUnsupported = errors.New("unsupported")
	// ErrUnprocessable: the input is well-formed but has no pixels, or
	// describes them inconsistently (422).
	ErrUnprocessable = errors.New("cannot be processed")
	// ErrBusy: too much is running; try again later (503).
	ErrBusy = errors.New("busy")
)
