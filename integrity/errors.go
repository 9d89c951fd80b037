package integrity

import "errors"

// ErrFormat is wrapped by every error of [Decoder.Decode] and [ParseCanonical]: the data are not the canonical form of a record, or of
// a version that this build does not know. The error says what is wrong and at which offset. The same data will never be
// accepted by this build: keep them, and look whether they are damaged or from a newer otelaudit.
var ErrFormat = errors.New("integrity: not the canonical form of a record")
