package main

// howToCurl has one parameter, the API's URL.
const howToCurl = `
The API stays at %[1]s until Ctrl-C. The users are alice, bob, carol and dana, their passwords NAME-demo:

  token=$(curl -s %[1]s/login -d '{"user":"bob","password":"bob-demo"}' | sed 's/.*"token":"\(.*\)".*/\1/')
  curl %[1]s/invoices -H "Authorization: Bearer $token" -d '{"customer":"carol","cents":990}'
`

// howToLook has one parameter, what psql takes for the database.
const howToLook = `
The table:

  psql %s -c 'SELECT time, actor_id, action, target_id, outcome FROM otelaudit.activity ORDER BY time DESC LIMIT 20'

`
