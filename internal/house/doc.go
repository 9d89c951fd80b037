// Package house holds what the module promises about itself as a whole: what each package makes its importer
// link, and that each package says what it is for. It has tests only.
package house
