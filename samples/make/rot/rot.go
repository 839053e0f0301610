// Package rot turns letters by 13 places; both commands use it.
package rot

// Rot13 turns the letters of a text; turning twice gives the text back.
func Rot13(text string) string {
	turned := []byte(text)
	for i, b := range turned {
		switch {
		case b >= 'a' && b <= 'z':
			turned[i] = 'a' + (b-'a'+13)%26
		case b >= 'A' && b <= 'Z':
			turned[i] = 'A' + (b-'A'+13)%26
		}
	}
	return string(turned)
}
