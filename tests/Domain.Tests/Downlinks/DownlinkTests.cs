using System.Text;
using WebhookService.Domain.Downlinks;
using WebhookService.Domain.Messages;
using static WebhookService.Domain.Tests.Downlinks.ADownlink;

namespace WebhookService.Domain.Tests.Downlinks;

public sealed class DownlinkTests
{
    [Fact]
    public void With_QoS_1_it_goes_from_accepted_over_sent_and_delivered_to_acked_and_tells_each_step()
    {
        var downlink = Downlink.Accept(1, Order(), "emqx", null, T0);
        var message = MessageOf();

        downlink.Answered(new(PublishResult.Taken, Given), At(0.02));
        message.Delivered(Device, At(0.03), false, qos: 1);
        downlink.Reported(message, At(1));
        Assert.Equal((DownlinkStatus.Delivered, false), (downlink.Status, downlink.IsFinished));
        message.Acked(Device, At(0.04));
        downlink.Reported(message, At(2));

        Assert.Equal((DownlinkStatus.Acked, true, DownlinkMatch.Id, null), (downlink.Status, downlink.IsFinished, downlink.Match, downlink.DueAt));
        var id = Given.ToString();
        Assert.Equal(
            [
                new DownlinkAccepted(1, Device, T0, "cmd/pump-7", 1), new DownlinkSent(1, Device, At(0.02), id), new DownlinkDelivered(1, Device, At(0.03), id, false),
                new DownlinkAcked(1, Device, At(0.04), id, false),
            ],
            downlink.TakeEvents());
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 0)] // the device subscribed with QoS 0: it will not acknowledge
    public void Where_the_device_gets_it_with_QoS_0_it_ends_delivered(int qos, int deliveredWith)
    {
        var (downlink, message) = (Sent(qos, given: Given), MessageOf());

        message.Delivered(Device, At(1), false, deliveredWith);
        downlink.Reported(message, At(2));
        downlink.Pass(At(61));

        Assert.Equal((DownlinkStatus.Delivered, true), (downlink.Status, downlink.IsFinished));
    }

    [Fact]
    public void What_other_receivers_do_with_the_message_does_not_matter()
    {
        var (downlink, message) = (Sent(given: Given), MessageOf());

        message.Delivered(Other, At(1), false, 1);
        message.Acked(Other, At(1));
        message.DroppedFor(Other, At(1), "queue_full");
        downlink.Reported(message, At(2));

        Assert.Equal((DownlinkStatus.Sent, Given), (downlink.Status, downlink.RecordedId));
    }

    [Theory]
    [InlineData("no_subscribers", DownlinkStatus.NoSubscriber)]
    [InlineData("receive_maximum", DownlinkStatus.Dropped)]
    public void What_the_broker_drops_for_everybody_is_dropped_for_the_device(string reason, DownlinkStatus status)
    {
        var (downlink, message) = (Sent(given: Given), MessageOf());

        message.Dropped(At(1), reason);
        downlink.Reported(message, At(2));

        Assert.Equal((status, reason, true), (downlink.Status, downlink.DropReason, downlink.IsFinished));
    }

    [Fact]
    public void What_the_broker_drops_for_the_device_ends_with_its_word()
    {
        var (downlink, message) = (Sent(given: Given), MessageOf());

        message.DroppedFor(Device, At(1), "queue_full");
        downlink.Reported(message, At(2));

        Assert.Equal(new DownlinkDropped(1, Device, At(1), Given.ToString(), "queue_full", false), Assert.Single(downlink.TakeEvents()));
    }

    [Fact]
    public void Without_news_until_its_deadline_it_times_out_and_a_later_acknowledgement_corrects_that_and_says_so()
    {
        var (downlink, message) = (Sent(given: Given), MessageOf());

        Assert.Equal(Outcome.Repeated, downlink.Pass(At(59)));
        Assert.Equal(Outcome.Applied, downlink.Pass(At(60)));
        Assert.Equal((DownlinkStatus.TimedOut, true), (downlink.Status, downlink.IsFinished));
        message.Delivered(Device, At(70), false, 1);
        message.Acked(Device, At(71));
        downlink.Reported(message, At(72));

        Assert.Equal(DownlinkStatus.Acked, downlink.Status);
        Assert.Equal(
            [
                new DownlinkTimedOut(1, Device, At(60), Given.ToString(), null), new DownlinkDelivered(1, Device, At(70), Given.ToString(), Late: true),
                new DownlinkAcked(1, Device, At(71), Given.ToString(), Late: true),
            ],
            downlink.TakeEvents());
    }

    [Fact]
    public void A_delivery_that_was_never_acknowledged_times_out_and_still_says_when_it_was()
    {
        var (downlink, message) = (Sent(given: Given), MessageOf());
        message.Delivered(Device, At(1), false, 1);
        downlink.Reported(message, At(2));

        downlink.Pass(At(60));

        Assert.Equal((DownlinkStatus.TimedOut, At(1)), (downlink.Status, downlink.DeliveredAt));
    }

    [Fact]
    public void Without_an_answer_it_becomes_uncertain_at_last_and_stays_so_past_its_deadline_until_reports_tell()
    {
        var downlink = Accepted();

        Assert.Equal(Outcome.Repeated, downlink.Pass(At(61)));
        downlink.Pass(T0 + Downlink.LongestCall);
        downlink.Pass(At(1000));
        Assert.Equal((DownlinkStatus.Uncertain, true), (downlink.Status, downlink.IsFinished));
        var message = Message.Of(Content(Given), At(1));
        message.Acked(Device, At(2));
        downlink.Reported(message, At(1001));

        Assert.Equal((DownlinkStatus.Acked, DownlinkMatch.Content), (downlink.Status, downlink.Match));
    }

    [Theory]
    [InlineData(PublishResult.NotSent, DownlinkStatus.Failed, true)]
    [InlineData(PublishResult.Refused, DownlinkStatus.Refused, true)]
    [InlineData(PublishResult.Unknown, DownlinkStatus.Uncertain, false)]
    [InlineData(PublishResult.Taken, DownlinkStatus.Sent, false)]
    [InlineData(PublishResult.NoSubscriber, DownlinkStatus.NoSubscriber, false)]
    public void Asked_again_it_is_sent_only_if_surely_nothing_of_it_was(PublishResult answer, DownlinkStatus status, bool again)
    {
        var downlink = Accepted();
        downlink.Answered(new(answer, Problem: "why"), At(1));
        Assert.Equal((status, "why"), (downlink.Status, downlink.Problem));

        Assert.Equal(again, downlink.AskedAgain("west", At(5)));

        Assert.Equal((again ? DownlinkStatus.Accepted : status, again ? "west" : "emqx", again ? At(5) : T0), (downlink.Status, downlink.Broker, downlink.AcceptedAt));
    }

    [Fact]
    public void Asked_again_while_the_broker_has_not_answered_it_is_not_sent() => Assert.False(Accepted().AskedAgain("emqx", At(1)));

    [Fact]
    public void A_second_answer_changes_nothing()
    {
        var downlink = Sent(given: Given);

        Assert.Equal(Outcome.Repeated, downlink.Answered(new(PublishResult.Unknown), At(3)));
        Assert.Equal(DownlinkStatus.Sent, downlink.Status);
    }

    // ---- which message is it, where no id tells --------------------------------------------------------------------------

    [Fact]
    public void Reports_without_ids_are_known_by_the_moment_in_which_the_given_id_was_made()
    {
        var (first, second) = (Sent(id: 1, given: IdMadeAt(At(0.010))), Sent(id: 2, given: IdMadeAt(At(0.020))));

        Assert.Equal(2, Downlink.Among([first, second], Content(at: At(0.021)))!.Id);
        Assert.Equal(1, Downlink.Among([first, second], Content(at: At(0.011)))!.Id);
        Assert.Null(Downlink.Among([first, second], Content(at: At(0.050))));
    }

    [Fact]
    public void A_message_with_an_id_of_its_own_is_never_one_whose_id_is_known_to_be_another() =>
        Assert.Null(Downlink.Among([Sent(given: Given)], Content(id: new MessageId(Given.Value + 1))));

    [Fact]
    public void Where_no_id_is_known_the_oldest_with_topic_payload_and_time_is_meant_but_one_whose_id_was_made_then_goes_first()
    {
        var (first, second, third) = (Sent(id: 1), Sent(id: 2), Sent(id: 3, given: IdMadeAt(At(5))));

        Assert.Equal(1, Downlink.Among([second, first], Content())!.Id);
        Assert.Equal(3, Downlink.Among([first, second, third], Content(at: At(5)))!.Id);
    }

    [Theory]
    [InlineData("off", "cmd/pump-7", 0, false)]
    [InlineData("on", "cmd/pump-8", 0, false)]
    [InlineData("on", "cmd/pump-7", 30, false)]
    [InlineData("on", "cmd/pump-7", -30, false)]
    [InlineData("on", "cmd/pump-7", 0, true)]
    public void Another_payload_topic_time_or_publisher_is_another_message(string payload, string topic, int seconds, bool fromDevice) =>
        Assert.Null(Downlink.Among([Sent()], Content(payload: payload, topic: topic, at: At(seconds), fromDevice: fromDevice)));

    [Fact]
    public void While_an_equal_one_waits_for_the_brokers_answer_nobody_is_meant()
    {
        var uncertain = Accepted(id: 1);
        uncertain.Answered(new(PublishResult.Unknown), At(1));

        Assert.Equal(1, Downlink.Among([uncertain], Content(Given))!.Id);
        Assert.Null(Downlink.Among([uncertain, Accepted(id: 2)], Content(Given)));
    }

    [Fact]
    public void Bytes_that_are_no_text_arrive_damaged_and_are_known_by_topic_and_time()
    {
        var order = new DownlinkOrder(Device, "cmd/pump-7", new byte[] { 0, 255, 1 }, 0, false, null, TimeSpan.FromSeconds(60));
        var downlink = Downlink.Accept(1, order, "emqx", null, T0);
        downlink.Answered(new(PublishResult.Taken), At(1));

        Assert.Same(downlink, Downlink.Among([downlink], Content(payload: "\0\uFFFD\u0001")));
        Assert.Null(Downlink.Among([downlink], Content(payload: "text")));
    }

    // ---- orders ----------------------------------------------------------------------------------------------------------

    [Theory]
    [InlineData("cmd/+/x")]
    [InlineData("cmd/#")]
    [InlineData("")]
    [InlineData("a\0b")]
    public void A_topic_with_wildcards_or_none_is_refused(string topic) => Assert.Equal("topic", Assert.Throws<DomainException>(() => Order(topic: topic)).Parameter);

    [Fact]
    public void The_client_id_is_filled_into_the_topic_unless_no_topic_can_hold_it()
    {
        Assert.Equal("a/pump-7/b/pump-7", Order(topic: "a/{clientId}/b/{clientId}").Topic);
        Assert.Throws<DomainException>(() => Order(client: new ClientId("a+b")));
        Assert.Equal("plain", Order(topic: "plain", client: new ClientId("a+b")).Topic);
    }

    [Fact]
    public void QoS_timeouts_and_expiries_out_of_range_are_refused()
    {
        Assert.Equal("qos", Assert.Throws<DomainException>(() => Order(qos: 3)).Parameter);
        Assert.Equal("timeoutSeconds", Assert.Throws<DomainException>(() => new DownlinkOrder(Device, "t", default, 0, false, null, TimeSpan.FromDays(8))).Parameter);
        Assert.Equal("timeoutSeconds", Assert.Throws<DomainException>(() => new DownlinkOrder(Device, "t", default, 0, false, null, TimeSpan.Zero)).Parameter);
        Assert.Equal("expirySeconds", Assert.Throws<DomainException>(() => new DownlinkOrder(Device, "t", default, 0, false, TimeSpan.Zero, TimeSpan.FromSeconds(5))).Parameter);
    }

    [Fact]
    public void Orders_are_the_same_if_all_of_them_is()
    {
        var user = new DownlinkProperties { ContentType = "text/plain", UserProperties = new Dictionary<string, string> { ["a"] = "1" } };
        var same = new DownlinkProperties { ContentType = "text/plain", UserProperties = new Dictionary<string, string> { ["a"] = "1" } };
        var other = new DownlinkProperties { ContentType = "text/plain", UserProperties = new Dictionary<string, string> { ["a"] = "2" } };

        Assert.True(Order(properties: user).IsSameAs(Order(properties: same)));
        Assert.True(Order().IsSameAs(Order(properties: DownlinkProperties.None)));
        Assert.False(Order(properties: user).IsSameAs(Order(properties: other)));
        Assert.False(Order().IsSameAs(Order(payload: "off")));
        Assert.False(Order().IsSameAs(Order(qos: 2)));
        Assert.False(Order().IsSameAs(new DownlinkOrder(Device, "cmd/pump-7", Encoding.UTF8.GetBytes("on"), 1, false, null, TimeSpan.FromSeconds(61))));
    }
}
