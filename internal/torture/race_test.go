//go:build unix && race

package torture

// raceDetector multiplies what a process takes.
const raceDetector = true
