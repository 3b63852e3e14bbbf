"""One module per URL. The rooms below know neither requests nor responses, except for cookies and forms."""
