// Package stdout writes activities to a terminal, a file or any other [io.Writer]: as JSON Lines ([New]), or as lines for a
// person's eyes ([NewConsole]). Both are exporters of OpenTelemetry's log SDK, for a trail's sink or a LoggerProvider:
//
//	trail.Sink{Name: "stdout", Exporter: stdout.New(os.Stdout), BestEffort: true}
//
// # JSON Lines
//
// One JSON object a line, with these keys in this order; what a record does not have is left out:
//
//	time, observed_time               RFC 3339, UTC, microseconds
//	event_name
//	severity_number, severity_text    log records that are no activities have them
//	body
//	trace_id, span_id, trace_flags    hexadecimal
//	attributes                        by OpenTelemetry's names, in the record's order
//	dropped_attributes                how many the SDK's limits took away
//	scope                             name, version, schema_url, attributes
//	resource
//
// The types of values survive: 1 is an integer, 1.0 a float, bytes are {"$bytes":"base64"}; the Postgres table has the same
// form. All log records can be written, not only activities.
//
// # Console
//
// Time (UTC, under a line for each day), who and for whom, did what, to which, outcome, why, with changes, related targets
// and metadata on indented lines:
//
//	2026-05-04 UTC
//	12:04:05.000    carol (admin) for c-7  invoice.update   invoice/42    success  "wrong amount"
//	                  amount:   100 → 120
//	                + approver: "alice"
//	12:04:07.250  ✗ bob                    invoice.approve  invoice/42    DENIED   "over bob's limit"
//
// ✗ marks what was denied, ! what failed, ? what ended nobody knows how; + a field that had no value before, - one that has
// none now. Texts and ids that are not plain words stand in quotes, names and reasons always, so that no text can pass for
// something else. Long texts and long lists are cut, and where the request came from is left out: the JSON form has
// everything. What cannot be read as an activity is written as its JSON line.
//
// # Guarantees
//
// Export returns nil after the writer has taken the whole batch: that says nothing about a disk (no fsync is made). A record
// that was exported twice is written twice. As a best-effort sink it writes some time after Track: before a program prints
// something of its own, trail.Trail.ForceFlush waits for what is under way. After an error part of the batch may be there,
// the last line perhaps incomplete; the next Export begins a new line. Nothing waits for a writer longer than its context
// allows, but the Export whose Write hangs.
//
// Neither form contains a control character other than the line feed at the end of each line and the console's own colours,
// nor characters that reorder or hide text or pass for spaces: JSON has them escaped, the console shows them as escapes.
//
// When os.Stdout is a pipe whose reader has gone, Go ends the program with SIGPIPE (see package os/signal): a service that
// must outlive its pipe calls signal.Ignore(syscall.SIGPIPE), and Export returns the error.
package stdout
