package local

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
)

// notALine says what is wrong with a line of size bytes that cannot be decoded.
func notALine(err error, size int) error {
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax) && syntax.Offset >= int64(size):
		return errors.New("it is not JSON: its end is missing")
	case errors.As(err, &syntax):
		return fmt.Errorf("it is not JSON: byte %d is wrong", syntax.Offset)
	case errors.As(err, &typed):
		return fmt.Errorf("%s cannot be a JSON %s", cmp.Or(typed.Field, "it"), typed.Value)
	}
	return err
}
