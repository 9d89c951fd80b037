// Package torture proves that no activity is lost, by killing what should not lose it. It has tests only.
//
//	go test ./internal/torture    the short form, which CI runs
//	make torture                  the long form: more than 200 kills, a million records, every mutation
//
// # How
//
// The test process is the oracle. What is tortured is a process of its own, with a real Postgres behind it: before each Track
// it writes the activity's number into a pipe, and after each Track the answer. A pipe's content outlives a kill -9 of its
// writer. A number gives the whole activity, so the oracle knows what must be in the table, without asking the code under
// test. See oracle for the bookkeeping, and findings for what is checked:
//
//   - acknowledged ⊆ stored ∪ dead letters ⊆ begun; what must be set aside is, with its reason, and nothing else;
//   - a call that failed, or that the kill cut off, is there once or not at all, and a TrackAll whole or not at all;
//   - no id twice; every field of each record is what was submitted, with the resource of the process that recorded it;
//   - order: who returned before another began comes first, seen at a second sink that appends lines to a file, and in the ids.
//
// # What dies
//
//   - The process, by SIGKILL: at random moments, and at named points around each operation of the journal's and the
//     dead letters' files and around each export (see point). Half of its lives are on a file system that forgets what was not
//     synced, down to the sector, so that a kill is a power cut for what was written. That names of files can be forgotten too
//     is left to trail/journal's own tests.
//   - Postgres: stopped immediately, backends terminated, stopped with SIGSTOP for longer than every timeout, cut off after
//     COMMIT was sent and before its answer, and down while the journal fills up.
//   - The clock, which goes back an hour; and the directory, which another process wants.
//
// A proof that cannot fail proves nothing. So the oracle's own tests plant a loss, a duplicate, a phantom, a change and a
// disorder; a point that was never reached is a failure; and mutations take one precaution after the other out of the
// production code (go test -overlay) and demand that the tests fail.
package torture
