package evidence

import (
	"reflect"
	"testing"
)

// A clone shares nothing that can be written to: every slice and map of an
// answer is copied, also those that are added later.
func TestCloneSharesNothing(t *testing.T) {
	t.Parallel()
	a := Answer{}
	fill(reflect.ValueOf(&a).Elem())
	b := a.Clone()
	if !reflect.DeepEqual(a, b) {
		t.Errorf("clone differs: %+v", b)
	}
	shared(t, "Answer", reflect.ValueOf(a), reflect.ValueOf(b))
}

// fill gives every slice and map below v one element.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				fill(f)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.Zero(v.Type().Key()), reflect.Zero(v.Type().Elem()))
	}
}

// shared reports each slice and map that a and b have in common.
func shared(t *testing.T, path string, a, b reflect.Value) {
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if a.Type().Field(i).IsExported() {
				shared(t, path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
			}
		}
	case reflect.Slice, reflect.Map:
		if a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared", path)
		}
		if a.Kind() == reflect.Slice && a.Len() > 0 && b.Len() > 0 {
			shared(t, path+"[0]", a.Index(0), b.Index(0))
		}
	}
}
