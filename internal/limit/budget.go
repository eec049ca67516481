package limit

import "time"

// Bounds of the budget of a question, for the setting, flags and arguments alike.
const (
	MinBudget = time.Second      // no answer takes less
	MaxBudget = 10 * time.Minute // clients give up long before
)
