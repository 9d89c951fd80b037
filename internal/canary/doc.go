// Package canary is a test of the whole stack: it puts a secret of its own into every place of a request, and then looks for each
// of them wherever a record, a span, a metric, a log line or a header comes out.
package canary
