// Package localpg gives tests, benchmarks and the quickstart a Postgres: the one that the environment variable
// OTELAUDIT_POSTGRES_URL names, or a private cluster that it starts from installed programs.
//
// A test asks for a database of its own, on a server that its whole test binary shares:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(localpg.Main{M: m}) }
//
//	func TestExport(t *testing.T) {
//		t.Parallel()
//		pool, err := pgxpool.New(t.Context(), localpg.Database(t))
//
// Anything else calls [Start], [Server.CreateDatabase] and [Server.Stop].
//
// A private cluster listens on a Unix socket in a directory that only its owner can enter, and on no port. It runs
// as an unprivileged user when its process is root, because Postgres refuses root. It goes away with the process that
// started it, however that ends: SIGKILL leaves neither a process nor a file behind. A named server is used as it
// is and never stopped; a process that is killed leaves its otelaudit_… databases there.
//
// What libpq's environment variables say of other servers does not reach a private cluster, but for PGTZ, the time zone of
// sessions, and PGSERVICE, with which none is started.
//
// Unless [Config.Durable] is set, a private cluster does not fsync: what it says about speed holds for tests only.
package localpg
