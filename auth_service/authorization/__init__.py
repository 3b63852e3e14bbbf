"""The steps of one authorization request, without HTTP: request, client, parameters, interaction, response."""
