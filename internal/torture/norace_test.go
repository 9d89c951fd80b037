//go:build unix && !race

package torture

const raceDetector = false
