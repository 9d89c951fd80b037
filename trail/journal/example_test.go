package journal_test

import (
	"context"
	"fmt"
	"os"

	"github.com/rj-gamer/go-activity-tracker/trail/journal"
)

func Example() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()

	j, err := journal.Open(journal.Config{Dir: dir, SegmentBytes: 1 << 20})
	if err != nil {
		panic(err)
	}
	defer j.Close()
	postgres, err := j.Reader("postgres", journal.Required)
	if err != nil {
		panic(err)
	}
	defer postgres.Close()

	if _, err := j.Append(ctx, []byte("alice approved invoice 7")); err != nil {
		panic(err) // not confirmed
	}
	records, err := postgres.Next(ctx, 2048, 4<<20)
	if err != nil {
		panic(err)
	}
	for _, r := range records {
		fmt.Printf("%d: %s\n", r.Seq, r.Data)
	}
	if err := postgres.Commit(records[len(records)-1].Seq); err != nil {
		panic(err)
	}
	fmt.Println("waiting for postgres:", j.Status().Readers[0].Lag)
	// Output:
	// 1: alice approved invoice 7
	// waiting for postgres: 0
}
