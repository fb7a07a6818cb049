using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using WebhookService.Application.Consumers;
using WebhookService.Application.Notices;
using WebhookService.Infrastructure.Notices;
using WebhookService.Infrastructure.Outbound;
using WebhookService.Tests;
using static WebhookService.Infrastructure.Tests.Notices.AMessage;

namespace WebhookService.Infrastructure.Tests.Notices;

/// <summary>Posting to a receiver in this process, which answers as told.</summary>
public sealed class NoticeSenderTests : IAsyncLifetime
{
    private readonly ConcurrentQueue<string> paths = new();
    private readonly OutboundHttp http = new();
    private WebApplication receiver = null!;
    private Func<HttpContext, Task> answer = _ => Task.CompletedTask;

    private string Url => receiver.Urls.First();

    public async Task InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        receiver = builder.Build();
        receiver.Run(async context =>
        {
            paths.Enqueue(context.Request.Path);
            await answer(context);
        });
        await receiver.StartAsync();
    }

    public async Task DisposeAsync()
    {
        http.Dispose();
        await receiver.DisposeAsync();
    }

    [Fact]
    public async Task What_is_answered_2xx_is_sent_with_the_headers_of_the_target()
    {
        string? seen = null;
        answer = context =>
        {
            seen = $"{context.Request.Method} {context.Request.Headers["X-Key"]} {context.Request.Headers["webhook-id"]} {context.Request.Headers.ContainsKey("traceparent")}";
            context.Response.StatusCode = 202;
            return Task.CompletedTask;
        };

        await SendAsync(To(PostFormat.Json, Url) with { Headers = new Dictionary<string, string> { ["X-Key"] = "k" } });

        Assert.Equal("POST k notice-4711 False", seen);
    }

    [Theory]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task A_redirection_is_not_followed(int status)
    {
        answer = context =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers.Location = Url + "/elsewhere";
            return Task.CompletedTask;
        };

        var failure = await Assert.ThrowsAsync<GiveUpException>(() => SendAsync(To(PostFormat.Json, Url + "/here")));

        Assert.Equal($"ops answered {status}, a redirection, which is not followed. Put the address that it leads to into Notices:Targets:ops:Url.", failure.Message);
        Assert.Equal(["/here"], paths);
    }

    [Theory]
    [InlineData(400, typeof(GiveUpException))]
    [InlineData(401, typeof(GiveUpException))]
    [InlineData(404, typeof(GiveUpException))]
    [InlineData(410, typeof(GiveUpException))]
    [InlineData(408, typeof(NoticeNotSentException))]
    [InlineData(425, typeof(NoticeNotSentException))]
    [InlineData(429, typeof(NoticeNotSentException))]
    [InlineData(500, typeof(NoticeNotSentException))]
    [InlineData(503, typeof(NoticeNotSentException))]
    public async Task What_the_receiver_will_never_take_is_given_up_and_all_else_is_tried_again(int status, Type failure)
    {
        answer = context =>
        {
            context.Response.StatusCode = status;
            return context.Response.WriteAsync("no\nthanks");
        };

        var thrown = await Record.ExceptionAsync(() => SendAsync(To(PostFormat.Json, Url)));

        Assert.IsType(failure, thrown);
        Assert.Equal($"ops answered {status} (no thanks)", thrown.Message);
    }

    [Theory]
    [InlineData(429, "120", 120)]
    [InlineData(503, "120", 120)]
    [InlineData(503, "Sun, 01 Mar 2026 12:00:30 GMT", 30)]
    public async Task A_receiver_that_says_when_to_come_again_is_heard(int status, string retryAfter, int seconds)
    {
        answer = context =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers.RetryAfter = retryAfter;
            return Task.CompletedTask;
        };

        var failure = await Assert.ThrowsAsync<TryAgainException>(() => SendAsync(To(PostFormat.Json, Url)));

        Assert.Equal(TimeSpan.FromSeconds(seconds), failure.After);
    }

    [Fact]
    public async Task A_robot_that_refuses_with_200_has_not_taken_it()
    {
        answer = context => context.Response.WriteAsync("""{"errcode":130101,"errmsg":"send too fast"}""");

        var failure = await Assert.ThrowsAsync<NoticeNotSentException>(() => SendAsync(To(PostFormat.Dingtalk, Url)));

        Assert.Equal("ops answered 200 and refused: errcode 130101: send too fast", failure.Message);
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("127.0.0.1")]
    [InlineData("[::ffff:127.0.0.1]")]
    public async Task A_name_that_leads_to_this_machine_is_not_connected_to(string host)
    {
        var target = To(PostFormat.Json, $"http://{host}:{new Uri(Url).Port}/secret-path") with { AllowPrivate = false };

        var failure = await Assert.ThrowsAsync<GiveUpException>(() => SendAsync(target));

        Assert.Equal("ops was not posted to, for the address of its host is one of this machine. If that is meant, set Notices:Targets:ops:AllowPrivate to true.", failure.Message);
        Assert.Empty(paths);
    }

    [Fact]
    public async Task A_connection_that_one_target_may_have_is_not_lent_to_another()
    {
        await SendAsync(To(PostFormat.Json, Url));

        await Assert.ThrowsAsync<GiveUpException>(() => SendAsync(To(PostFormat.Json, Url) with { AllowPrivate = false }));
        Assert.Single(paths);
    }

    [Fact]
    public async Task An_answer_without_end_is_read_no_further_than_it_is_shown()
    {
        using var over = new CancellationTokenSource(Eventually.Patience);
        answer = async context =>
        {
            var rubbish = new byte[64 * 1024];
            while (!context.RequestAborted.IsCancellationRequested) await context.Response.Body.WriteAsync(rubbish, context.RequestAborted);
        };

        await SendAsync(To(PostFormat.Slack, Url), over.Token);

        Assert.False(over.IsCancellationRequested);
    }

    [Fact]
    public async Task Who_does_not_answer_is_left_when_the_time_is_over()
    {
        using var over = new CancellationTokenSource();
        answer = context =>
        {
            over.Cancel();
            return Task.Delay(Timeout.Infinite, context.RequestAborted);
        };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => SendAsync(To(PostFormat.Slack, Url), over.Token));
    }

    [Fact]
    public async Task Nobody_there_is_told_without_the_address()
    {
        using var nobody = new ADeadPort();

        var failure = await Assert.ThrowsAsync<NoticeNotSentException>(() => SendAsync(To(PostFormat.Slack, nobody.Url + "/services/T0/B0/s3cret")));

        Assert.StartsWith("ops could not be posted to: Connection refused", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", failure.ToString(), StringComparison.Ordinal);
    }

    private Task SendAsync(NoticeTarget target, CancellationToken cancellation = default) =>
        new NoticeSender(http, new AClock(Noon)).SendAsync(target, Of(Raised("pump-7")), cancellation);
}
