using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ApplicationParts;
using Microsoft.Extensions.DependencyInjection;
using WebhookService.Api.Errors;
using WebhookService.Api.Security;
using WebhookService.Application.Common;
using WebhookService.Domain;

namespace WebhookService.Api.Tests.Errors;

public sealed class Problems
{
    private static Task<ApiHost> StartAsync() => ApiHost.StartAsync(
        configure: builder => builder.Services.AddControllers().PartManager.ApplicationParts.Add(new AssemblyPart(typeof(ThingsController).Assembly)),
        map: app =>
        {
            Throwing(app, "domain", () => new DomainException("A client id must not be empty.", "clientId"));
            Throwing(app, "overload", () => new OverloadedException(TimeSpan.FromMilliseconds(1500)));
            Throwing(app, "bug", () => new InvalidOperationException("the password is swordfish"));
            Throwing(app, "missing", () => ApiException.NotFound("There is no device 'd'."));
            Throwing(app, "outdated", () => ApiException.PreconditionFailed("It changed."));
            Throwing(app, "unconditional", () => ApiException.PreconditionRequired("Say which version."));
            Throwing(app, "kestrel", () => new BadHttpRequestException("Request body too large.", 413));
            Throwing(app, "header", () => new InvalidOperationException("after a header"), context => context.Response.Headers.ETag = "\"1\"");
            app.MapPost("/test/minimal", (Body body) => body).RequireAuthorization(Policies.Read);
            app.MapPut("/test/minimal", () => "put").RequireAuthorization(Policies.Read);
            app.MapGet("/test/current", () => Activity.Current?.TraceId.ToHexString()).RequireAuthorization(Policies.Read);
            app.MapGet("/webhook/current", () => $"{Activity.Current?.TraceId.ToHexString()}").RequireAuthorization(Policies.Read);
        });

    private static void Throwing(WebApplication app, string name, Func<Exception> exception, Action<HttpContext>? before = null) =>
        app.MapGet($"/test/{name}", (HttpContext context) =>
        {
            before?.Invoke(context);
            throw exception();
        }).RequireAuthorization(Policies.Read);

    [Theory]
    [InlineData("/api/v1/devices?q=%00", "q")]
    [InlineData("/api/v1/devices?q=a%00b", "q")]
    [InlineData("/api/v1/messages?topic=a%00", "topic")]
    [InlineData("/api/v1/devices?tag.site=%00", "tag.site")]
    public async Task No_filter_holds_U_0000(string path, string parameter)
    {
        await using var api = await ApiHost.StartAsync();

        var problem = await (await api.Read.GetAsync(path)).ProblemAsync(HttpStatusCode.BadRequest, "invalid-value");

        Assert.Equal(parameter, (string?)problem["parameter"]);
    }

    [Theory]
    [InlineData("/api/v1/devices", HttpStatusCode.OK)]
    [InlineData("/api/v1/stats", HttpStatusCode.OK)]
    [InlineData("/api/v1/devices/nobody", HttpStatusCode.NotFound)]
    public async Task HEAD_answers_as_GET_does_without_the_body(string path, HttpStatusCode status)
    {
        await using var api = await ApiHost.StartAsync();
        using var head = new HttpRequestMessage(HttpMethod.Head, path);

        var answer = await api.Read.SendAsync(head);

        Assert.Equal((status, ""), (answer.StatusCode, await answer.Content.ReadAsStringAsync()));
        Assert.NotNull(answer.Content.Headers.ContentType);
    }

    [Theory]
    [InlineData("domain", 400, "invalid-value")]
    [InlineData("overload", 429, "overloaded")]
    [InlineData("bug", 500, "internal-error")]
    [InlineData("missing", 404, "not-found")]
    [InlineData("outdated", 412, "precondition-failed")]
    [InlineData("unconditional", 428, "precondition-required")]
    [InlineData("kestrel", 413, "too-large")]
    public async Task Each_exception_has_its_status_and_code(string route, int status, string code)
    {
        await using var api = await StartAsync();

        var answer = await api.Read.GetAsync($"/test/{route}");

        await answer.ProblemAsync((HttpStatusCode)status, code);
    }

    [Fact]
    public async Task What_the_domain_refuses_is_told_with_its_parameter()
    {
        await using var api = await StartAsync();

        var problem = await (await api.Read.GetAsync("/test/domain")).ProblemAsync(HttpStatusCode.BadRequest, "invalid-value");

        Assert.Equal(("A client id must not be empty.", "clientId"), ((string?)problem["detail"], (string?)problem["parameter"]));
    }

    [Fact]
    public async Task Overload_says_when_to_come_back_in_whole_seconds()
    {
        await using var api = await StartAsync();

        var answer = await api.Read.GetAsync("/test/overload");

        Assert.Equal("2", answer.Headers.GetValues("Retry-After").Single());
    }

    [Fact]
    public async Task Our_own_mistakes_are_logged_once_with_the_request_id_and_told_to_nobody()
    {
        await using var api = await StartAsync();

        var answer = await api.Read.GetAsync("/test/bug");

        var problem = await answer.ProblemAsync(HttpStatusCode.InternalServerError, "internal-error");
        Assert.DoesNotContain("swordfish", problem.ToJsonString(), StringComparison.Ordinal);
        var logged = Assert.Single(api.Logs, line => line.Contains("swordfish", StringComparison.Ordinal));
        Assert.Contains((string)problem["requestId"]!, logged, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Callers_mistakes_are_not_logged_as_errors()
    {
        await using var api = await StartAsync();

        await api.Read.GetAsync("/test/domain");
        await api.Read.GetAsync("/test/overload");

        Assert.DoesNotContain(api.Logs, line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_validator_of_the_good_answer_does_not_stay_on_the_problem()
    {
        await using var api = await StartAsync();

        var answer = await api.Read.GetAsync("/test/header");

        Assert.Null(answer.Headers.ETag);
    }

    [Fact]
    public async Task An_unknown_route_is_404_for_everyone()
    {
        await using var api = await StartAsync();

        await (await api.Anonymous.GetAsync("/api/v1/nothing")).ProblemAsync(HttpStatusCode.NotFound, "not-found");
        await (await api.Read.PostAsync("/nothing", null)).ProblemAsync(HttpStatusCode.NotFound, "not-found");
    }

    [Fact]
    public async Task A_method_that_a_route_does_not_take_is_405_and_names_those_it_takes()
    {
        await using var api = await StartAsync();

        var answer = await api.Anonymous.DeleteAsync("/test/minimal");

        await answer.ProblemAsync(HttpStatusCode.MethodNotAllowed, "method-not-allowed");
        Assert.Equal(["POST", "PUT"], answer.Content.Headers.Allow.Order());
    }

    [Theory]
    [InlineData("/test/things?limit=5&status=a&status=b&Sort=x&tag.site=berlin&lastSeenAfter=1")]
    [InlineData("/test/things")]
    public async Task Query_parameters_that_an_action_binds_or_names_are_taken(string path)
    {
        await using var api = await StartAsync();

        var answer = await api.Read.GetAsync(path);

        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("/test/things?limt=5", "limt")]
    [InlineData("/test/things?limit=5&offset=1", "offset")]
    [InlineData("/test/things?tags.site=1", "tags.site")]
    [InlineData("/test/things?id=1", "id")]
    [InlineData("/test/things?since=1", "since")]
    public async Task An_unknown_query_parameter_is_refused_by_name_with_those_that_are_taken(string path, string parameter)
    {
        await using var api = await StartAsync();

        var problem = await (await api.Read.GetAsync(path)).ProblemAsync(HttpStatusCode.BadRequest, "unknown-parameter");

        Assert.Equal(parameter, (string?)problem["parameter"]);
        Assert.Equal("This route takes lastSeenAfter, limit, sort, status, tag.<name>.", (string?)problem["hint"]);
    }

    [Fact]
    public async Task Names_of_query_parameters_are_told_only_to_those_who_may_use_them()
    {
        await using var api = await StartAsync();

        await (await api.Anonymous.GetAsync("/test/things?limt=5")).ProblemAsync(HttpStatusCode.Unauthorized, "credential-missing");
    }

    [Fact]
    public async Task A_query_value_of_the_wrong_type_names_its_parameter()
    {
        await using var api = await StartAsync();

        var problem = await (await api.Read.GetAsync("/test/things?limit=many")).ProblemAsync(HttpStatusCode.BadRequest, "invalid-value");

        Assert.Equal("limit", (string?)problem["parameter"]);
    }

    [Theory]
    [InlineData("""{"name":"n","colour":"red"}""", "unknown-member", "colour")]
    [InlineData("""{"name":"n","size":"big"}""", "invalid-value", "size")]
    [InlineData("""{"name":"n","inner":{"deep":1,"deeper":2}}""", "unknown-member", "deeper")]
    [InlineData("""{"size":1}""", "member-missing", "name")]
    [InlineData("""{"name":"n",""", "malformed-json", null)]
    [InlineData("[]", "invalid-value", null)]
    [InlineData("", "body-missing", null)]
    public async Task A_body_that_does_not_fit_is_refused_in_the_callers_words(string body, string code, string? parameter)
    {
        await using var api = await StartAsync();

        var answer = await api.Read.PostAsync("/test/things", new StringContent(body, Encoding.UTF8, "application/json"));

        var problem = await answer.ProblemAsync(HttpStatusCode.BadRequest, code);
        Assert.Equal(parameter, (string?)problem["parameter"]);
        Assert.DoesNotContain("System.", problem.ToJsonString(), StringComparison.Ordinal);
        Assert.DoesNotContain("WebhookService.", problem.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_minimal_route_refuses_bodies_in_the_same_way()
    {
        await using var api = await StartAsync();

        var problem = await (await api.Read.PostAsJsonAsync("/test/minimal", new { name = "n", colour = "red" })).ProblemAsync(HttpStatusCode.BadRequest, "unknown-member");

        Assert.Equal("colour", (string?)problem["parameter"]);
    }

    [Theory]
    [InlineData("/test/things/nothing", 404, "not-found")]
    [InlineData("/test/things/taken", 409, "conflict")]
    public async Task A_bare_status_from_a_controller_becomes_a_problem_too(string path, int status, string code)
    {
        await using var api = await StartAsync();

        await (await api.Read.GetAsync(path)).ProblemAsync((HttpStatusCode)status, code);
    }

    [Fact]
    public async Task A_body_that_is_no_JSON_is_415()
    {
        await using var api = await StartAsync();

        var answer = await api.Read.PostAsync("/test/things", new StringContent("<a/>", Encoding.UTF8, "application/xml"));

        await answer.ProblemAsync(HttpStatusCode.UnsupportedMediaType, "unsupported-media-type");
    }

    [Theory]
    [InlineData("/health/live")]
    [InlineData("/test/missing")]
    [InlineData("/nothing")]
    [InlineData("/webhook")]
    public async Task The_request_id_is_the_trace_id_of_an_incoming_traceparent(string path)
    {
        await using var api = await StartAsync();
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");

        var answer = await api.Read.SendAsync(request);

        Assert.Equal("0af7651916cd43dd8448eb211c80319c", answer.Headers.GetValues("X-Request-Id").Single());
    }

    [Fact]
    public async Task Each_request_without_one_gets_its_own_id()
    {
        await using var api = await StartAsync();

        var ids = new HashSet<string>();
        for (var i = 0; i < 5; i++) ids.Add((await api.Anonymous.GetAsync("/health/live")).Headers.GetValues("X-Request-Id").Single());

        Assert.Equal(5, ids.Count);
        Assert.All(ids, id => Assert.Matches("^[0-9a-f]{32}$", id));
    }

    [Theory]
    [InlineData("/test/current", false, true)]
    [InlineData("/test/current", true, true)]
    [InlineData("/webhook/current", false, false)] // a tenth of its cost, for a line that is hardly ever written
    [InlineData("/webhook/current", true, true)]
    public async Task The_request_id_is_current_so_that_log_lines_carry_it_but_for_webhooks_that_nobody_traces(string path, bool isTraced, bool isCurrent)
    {
        await using var api = await StartAsync();
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (isTraced) request.Headers.Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");

        var answer = await api.Read.SendAsync(request);

        Assert.Equal(isCurrent ? answer.Headers.GetValues("X-Request-Id").Single() : "", await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_problem_tells_the_id_that_is_in_the_header_though_the_headers_were_wiped()
    {
        await using var api = await StartAsync();

        var answer = await api.Read.GetAsync("/test/header");

        var problem = await answer.ProblemAsync(HttpStatusCode.InternalServerError, "internal-error");
        Assert.Equal((string?)problem["requestId"], answer.Headers.GetValues("X-Request-Id").Single());
    }

    public sealed record Body(int? Size, Inner? Inner)
    {
        public required string Name { get; init; }
    }

    public sealed record Inner(int Deep);

    public sealed class Filters
    {
        public string[] Status { get; init; } = [];

        public string? Sort { get; init; }
    }
}

[ApiController, Route("/test/things"), Authorize(Policy = Policies.Read)]
public sealed class ThingsController : ControllerBase
{
    [HttpGet, AlsoTakesQuery("tag.*")]
    public IActionResult List([FromQuery] Problems.Filters filters, [FromQuery(Name = "lastSeenAfter")] string? since, CancellationToken cancellation, int limit = 50) =>
        Ok(new { filters.Status, filters.Sort, since, limit, cancellation.IsCancellationRequested });

    [HttpGet("nothing")]
    public IActionResult Nothing() => NotFound();

    [HttpGet("taken")]
    public IActionResult Taken() => Conflict();

    [HttpPost]
    public IActionResult Add(Problems.Body body) => Ok(body);
}
