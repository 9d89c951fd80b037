package stdout

import "io"

// NewColourConsole is NewConsole on a terminal.
func NewColourConsole(w io.Writer) *Exporter { return newExporter(w, newConsole(true)) }

// WantsColour is for tests of what it reads from the environment.
var WantsColour = wantsColour

// WriteSize is how much one Write takes of a large batch.
const WriteSize = writeSize
