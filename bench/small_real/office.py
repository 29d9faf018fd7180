"""Tool calling: an errand in an office, and the one call that does it, as the Workplace Assistant's rows have them."""

import json

from bench.small_real.gym import Row, called, cells, gym_row

TOOLS = {
    "email_send_email": ("Sends an email.", "recipient subject"),
    "calendar_create_event": ("Creates an event.", "event_name event_start duration"),
    "project_management_create_task": ("Creates a task.", "task_name assigned_to due_date"),
    "customer_relationship_manager_delete_customer": ("Deletes a customer.", "customer_id"),
    "email_search_emails": ("Searches the inbox.", "query"),
    "analytics_create_plot": ("Draws a plot.", "value_to_plot plot_type"),
    "email_delete_email": ("Deletes an email.", "email_id"),
    "company_directory_find_email_address": ("Finds an address.", "name"),
}

# tool | what is asked | argument | argument | ...
ERRANDS = """
email_send_email | Mail ana@atlas.com about Lunch. | ana@atlas.com | Lunch
email_send_email | Write to li@atlas.com; subject Budget. | li@atlas.com | Budget
email_send_email | Please email raj@nano.org with the subject Invoice. | raj@nano.org | Invoice
email_send_email | Send kim@nano.org a mail headed Travel. | kim@nano.org | Travel
email_send_email | Drop eva@atlas.com a line; call it Thanks. | eva@atlas.com | Thanks
email_send_email | An email to tom@fern.net, please. Subject: Keys. | tom@fern.net | Keys
email_send_email | Mail zoe@fern.net; the subject is Parking. | zoe@fern.net | Parking
calendar_create_event | Put Standup on 2023-12-01 at 09:00 for 30 minutes. | Standup | 2023-12-01 09:00:00 | 30
calendar_create_event | Book a Review on 2023-12-04 at 14:00; it takes 60 minutes. | Review | 2023-12-04 14:00:00 | 60
calendar_create_event | I need 45 minutes for Hiring on 2023-12-05 at 10:30. | Hiring | 2023-12-05 10:30:00 | 45
calendar_create_event | Plan a 90 minute Workshop: 2023-12-07 13:00. | Workshop | 2023-12-07 13:00:00 | 90
calendar_create_event | Reserve 2023-12-11 at 16:00 for a Demo of 30 minutes. | Demo | 2023-12-11 16:00:00 | 30
calendar_create_event | Add Training, 2023-12-12 11:00, 120 minutes. | Training | 2023-12-12 11:00:00 | 120
calendar_create_event | Schedule Retro for 2023-12-15 15:00, one hour in minutes. | Retro | 2023-12-15 15:00:00 | 60
project_management_create_task | Give bob the task Fix login until 2023-12-08. | Fix login | bob | 2023-12-08
project_management_create_task | Task for ida: Write report, due 2023-12-20. | Write report | ida | 2023-12-20
project_management_create_task | Have sam Test backup by 2023-12-13. | Test backup | sam | 2023-12-13
project_management_create_task | By 2023-12-29 mia should Clean data; make it a task. | Clean data | mia | 2023-12-29
project_management_create_task | New task, Draft slides, for joe, due 2023-12-06. | Draft slides | joe | 2023-12-06
project_management_create_task | lea has to Update site before 2023-12-18; note it. | Update site | lea | 2023-12-18
project_management_create_task | Assign Order chairs to max, deadline 2023-12-22. | Order chairs | max | 2023-12-22
customer_relationship_manager_delete_customer | Customer 00000087 left us. Remove the record. | 00000087
customer_relationship_manager_delete_customer | Delete customer 00000142. | 00000142
customer_relationship_manager_delete_customer | Take 00000009 out of our customers. | 00000009
customer_relationship_manager_delete_customer | We no longer serve client 00000231; erase it. | 00000231
customer_relationship_manager_delete_customer | Drop the customer with id 00000055. | 00000055
customer_relationship_manager_delete_customer | Please purge 00000178 from the customer list. | 00000178
customer_relationship_manager_delete_customer | Remove the duplicate customer 00000064. | 00000064
email_search_emails | Find mails on the merger. | merger
email_search_emails | What did people write about pensions? Search. | pensions
email_search_emails | Look for emails that mention Oslo. | Oslo
email_search_emails | Search my inbox for visa. | visa
email_search_emails | Any mail about the roof? | roof
email_search_emails | Show me messages with the word audit. | audit
email_search_emails | Dig out what was written on solar. | solar
analytics_create_plot | Show total_visits as a bar chart. | total_visits | bar
analytics_create_plot | Draw a line of user_engaged. | user_engaged | line
analytics_create_plot | I want a scatter of session_duration_seconds. | session_duration_seconds | scatter
analytics_create_plot | Plot visits_direct in a histogram. | visits_direct | histogram
analytics_create_plot | A bar chart of visits_referral, please. | visits_referral | bar
analytics_create_plot | Turn visits_search_engine into a line chart. | visits_search_engine | line
analytics_create_plot | Make visits_social_media a scatter plot. | visits_social_media | scatter
email_delete_email | Throw away email 00000301. | 00000301
email_delete_email | Delete the message 00000412. | 00000412
email_delete_email | Mail 00000077 is spam. Get rid of it. | 00000077
email_delete_email | Erase email 00000198 from my inbox. | 00000198
email_delete_email | Bin message 00000256. | 00000256
email_delete_email | I read 00000333; it can be deleted. | 00000333
email_delete_email | Remove the mail with the id 00000120. | 00000120
company_directory_find_email_address | What is the address of Nadia? | Nadia
company_directory_find_email_address | Look up Carlos in the directory. | Carlos
company_directory_find_email_address | How do I reach Yuki by mail? | Yuki
company_directory_find_email_address | Find the email of Akira. | Akira
company_directory_find_email_address | I need the address of Fatima. | Fatima
company_directory_find_email_address | Which email has Santiago? | Santiago
company_directory_find_email_address | Search the directory for Chenwei. | Chenwei
"""


def rows() -> list[Row]:
    """A row per errand; every other one is offered a second tool, and some rows tell the date first."""
    made, names = [], list(TOOLS)
    for number, (name, asked, *given) in enumerate(cells(ERRANDS)):
        arguments = dict(zip(TOOLS[name][1].split(), given, strict=True))
        other = names[(names.index(name) + 1 + number % (len(names) - 1)) % len(names)]
        offered = [_tool(one) for one in (sorted((name, other)) if number % 2 else [name])]
        fields = {"tools": offered, "id": number, "category": f"workplace_assistant_{name.split('_')[0]}"}
        if number % 4 == 0:
            fields["system"] = "Today is Thursday, 2023-11-30."
        truth = [{"name": name, "arguments": json.dumps(arguments)}]
        made.append(
            gym_row(
                "workplace_assistant",
                asked,
                called(name, arguments),
                ground_truth=truth,
                environment_name="workplace_assistant",
                **fields,
            )
        )
    return made


def _tool(name: str) -> Row:
    about, parameters = TOOLS[name]
    schema = {"type": "object", "properties": {one: {"type": "string"} for one in parameters.split()}}
    return {"type": "function", "name": name, "description": about, "parameters": schema, "strict": False}
