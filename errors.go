package segd

import "errors"

// Kinds of error. A package wraps the matching kind with its name, the
// measured value and the limit. Callers test for a kind with [errors.Is]; each
// edge, such as the HTTP server or the command line, translates it to its own
// codes. Errors contain no patient data: they name tags by number and never
// include values.
var (
	// ErrFormat means that the input is malformed or truncated.
	ErrFormat = errors.New("malformed input")
	// ErrOption means that an option or setting has an invalid value.
	ErrOption = errors.New("invalid option")
	// ErrNotFound means that a model, file or resource does not exist.
	ErrNotFound = errors.New("not found")
	// ErrTooLarge means that a size exceeds its limit.
	ErrTooLarge = errors.New("too large")
	// ErrUnsupported means that the input is valid, but segd does not read its
	// format or encoding.
	ErrUnsupported = errors.New("unsupported")
	// ErrUnprocessable means that the input is well-formed, but has no pixels
	// or describes them inconsistently.
	ErrUnprocessable = errors.New("cannot be processed")
	// ErrBusy means that too much is running; the caller may try again later.
	ErrBusy = errors.New("busy")
)
